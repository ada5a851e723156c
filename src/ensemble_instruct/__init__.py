"""Instruction-tuning data from a mixture of open language models, kept where they agree."""

__version__ = "0.1.0"
