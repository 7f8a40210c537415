"""The dashboard: a page on a port of its own, told every second what has changed, and the actions it offers."""
