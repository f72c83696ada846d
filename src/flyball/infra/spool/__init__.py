"""Records on their way from a process to PostgreSQL: kept through `kill -9`, delivered exactly once. Imported by module."""
