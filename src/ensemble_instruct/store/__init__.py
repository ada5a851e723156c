"""The run's SQLite file."""
