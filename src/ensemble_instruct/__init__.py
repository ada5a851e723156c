"""Instruction-tuning data from a mixture of open language models, kept where they agree."""

from ensemble_instruct.version import __version__ as __version__
