"""What speaks against a text by itself."""
