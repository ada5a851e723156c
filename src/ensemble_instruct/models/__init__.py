"""Asking language models: everything between a question and its committed answer."""
