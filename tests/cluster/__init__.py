"""Several gateways on one shared store, over real sockets."""
