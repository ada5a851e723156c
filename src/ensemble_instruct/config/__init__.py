"""What a user sets: sections, defaults, and what makes a config valid."""
