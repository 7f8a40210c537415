"""The management API on the gateway's port: what it answers, to whom, and what it changes."""
