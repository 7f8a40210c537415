"""A stand-in provider and a simulated fleet."""
