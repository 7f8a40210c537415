"""The official clients, through a whole gateway, on real sockets."""
