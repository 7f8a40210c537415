"""Limits, budgets, circuits and policies, over real sockets."""
