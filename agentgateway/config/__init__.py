"""gateway.yaml, from text to frozen classes."""
