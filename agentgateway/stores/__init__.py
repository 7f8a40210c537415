"""Where spend, pauses and audit records survive."""
