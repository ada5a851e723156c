"""Programs that make parts of the package."""
