"""Which licences may be used, and what follows for the dataset."""
