"""The live state that processes share: scripts that run inside Redis, and the Twisted side of them."""
