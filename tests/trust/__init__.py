"""Faults, abuse, load and time, each tried for real: a gateway in a process of its own, and real sockets."""
