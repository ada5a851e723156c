"""The five steps: each an async generator from records to records, in order, drops included."""
