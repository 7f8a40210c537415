"""Behaviour of the pure nouns, on made-up clocks."""
