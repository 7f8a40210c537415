"""Tests of the live state that processes share."""
