"""The reverse proxy and the management resources."""
