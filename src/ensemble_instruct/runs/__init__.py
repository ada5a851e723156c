"""A run folder from start to finish."""
