"""The command line, and what its commands share."""

from ensemble_instruct.cli.app import main

__all__ = ["main"]
