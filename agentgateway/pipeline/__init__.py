"""The verbs: what a call goes through, in order.py's order."""
