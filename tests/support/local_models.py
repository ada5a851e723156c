"""The clients of models in this process that are tested, each over a tiny model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Local:
    """A client over a model of `tiny_models`."""

    provider: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    largest_small: int | None = None
    """Bytes of a model up to which it is held to be small."""
    honours_seeds: bool = True

    @property
    def knows_the_alphabet(self) -> bool:
        return self.model == "alphabet"


ALONE = {"threads": 1}
"""Threads of one model that wait for each other cost the more, the more else the machine does."""
LOCAL = {
    "ctranslate2 alphabet": Local("ctranslate2", "alphabet"),
    "ctranslate2 decoder": Local("ctranslate2", "drawn"),
    "ctranslate2 encoder-decoder": Local("ctranslate2", "read"),
    "ctranslate2 alphabet, large": Local("ctranslate2", "alphabet", ALONE, 0, honours_seeds=False),
    "ctranslate2 decoder, large": Local("ctranslate2", "drawn", ALONE, 0, honours_seeds=False),
    "ctranslate2 encoder-decoder, large": Local("ctranslate2", "read", {}, 0, honours_seeds=False),
    "transformers alphabet": Local("transformers", "alphabet", ALONE),
    "transformers decoder": Local("transformers", "drawn", {"threads": 1, "batch_size": 32}),
    "transformers encoder-decoder": Local("transformers", "read", ALONE),
}
