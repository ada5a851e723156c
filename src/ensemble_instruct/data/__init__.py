"""Bundled data: seed tasks, demonstrations, presets, and the simulated models of the demo."""
