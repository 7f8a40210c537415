"""Tests of the stand-in provider and the simulated fleet."""
