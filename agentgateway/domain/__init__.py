"""The nouns: pure values and things with a life; no Twisted, no clock, no file."""
