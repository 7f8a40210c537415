"""Several processes that serve calls together: a parent that holds the sockets, and its workers."""
