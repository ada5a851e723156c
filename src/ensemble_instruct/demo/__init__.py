"""Tiny models on toy tasks, whose right answers can be computed."""
