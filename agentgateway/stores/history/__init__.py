"""What all processes have seen, in PostgreSQL: audit records, loaded from the log files, and rows of charts."""
