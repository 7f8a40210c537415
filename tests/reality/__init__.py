"""Tests that look at whole processes from outside."""
