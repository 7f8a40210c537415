"""HTTP/1.1 on llhttp, both ends, for Twisted; knows nothing of the gateway."""
