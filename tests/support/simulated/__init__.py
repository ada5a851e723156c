"""Simulated language models: small programs that make and answer toy tasks, with mistakes at a set rate."""
