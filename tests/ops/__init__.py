"""Tests of what runs beside the calls."""
