"""Tests of several processes that serve calls together."""
