"""Tests of the wire: HTTP/1.1, both ends, in memory where it can be."""
