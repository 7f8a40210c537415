"""Tests of what the stand-in says in each dialect."""
