"""The quality filters of step 5 as a config switches them on; all are off by default."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from ensemble_instruct.config.section import Section


class ToxicitySection(Section):
    """Who says whether an output is harmful."""

    model: str
    """One of `models`; it is asked about each different output that could be selected, while step 4 goes on."""


class QualitySection(Section):
    """What an example must not be; what is dropped for it is a drop of step 5."""

    decontaminate: list[Annotated[Path, Field(strict=False)]] = Field(default_factory=list)
    """Benchmarks (JSONL, JSON, Parquet, or text): no example may hold one of their texts or be close to one."""
    languages: list[str] = Field(default_factory=list)
    """ISO 639-1 codes of the languages that instructions and outputs may have, such as `[en, de]`; empty: all."""
    personal_data: bool = False
    """Drop e-mail and IP addresses, phone, card, bank account and social security numbers, and secret keys."""
    repetition: float | None = Field(default=None, ge=0, lt=1)
    """Greatest share of an output's runs of four words that may be repeats of earlier ones; null: no limit."""
    refusals: bool = False
    """Drop outputs in which a model declines to answer."""
    code_fences: bool = False
    """Drop outputs with a code block that is not closed."""
    toxicity: ToxicitySection | None = None
    """Drop outputs that a model of yours finds harmful; null: nobody is asked."""

    @field_validator("languages")
    @classmethod
    def _codes(cls, value: list[str]) -> list[str]:
        for code in value:
            if not (len(code) == 2 and code.isascii() and code.isalpha() and code.islower()):
                raise ValueError(f"'{code}' is no language; write its ISO 639-1 code of two letters, such as en")
        return value

    def with_benchmarks(self, paths: Iterable[Path]) -> QualitySection:
        """The same with further benchmarks, each once."""
        known = dict.fromkeys([*self.decontaminate, *(path.absolute() for path in paths)])
        return self.model_copy(update={"decontaminate": list(known)})

    @property
    def is_on(self) -> bool:
        """Whether any filter is switched on."""
        switched = self.personal_data or self.refusals or self.code_fences or self.repetition is not None
        return switched or bool(self.decontaminate or self.languages or self.toxicity)
