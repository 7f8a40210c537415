"""A gateway as its operators have it: over the command line, signals and systemd, under load."""
