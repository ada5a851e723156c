"""The utility `embedding`: how near two outputs are to a small sentence encoder on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ensemble_instruct.agreement.ballots import Matrix, pairwise
from ensemble_instruct.agreement.utilities import PURE, Comparer, Texts, Weights, require_chrf
from ensemble_instruct.errors import ConfigError, UsageError
from ensemble_instruct.records import Utility

_BATCH = 64
"""Texts that the encoder takes at once."""


class Embedder:
    """A sentence encoder of a folder, in the format of sentence-transformers; loaded when it is first needed.

    Raises `ConfigError` where the extra `embedding` is not installed, or the folder holds no encoder. Nothing is
    fetched from anywhere, and no code of the folder is run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._encoder: Any = None

    def __call__(self, rows: Sequence[Texts]) -> list[Matrix]:
        """The cosine of each pair, 0 where it is negative or a text is empty."""
        texts = list(dict.fromkeys(text for _, outputs in rows for text in outputs if text.strip()))
        places = {text: place for place, text in enumerate(texts)}
        vectors = self._vectors(texts)

        def agreement(one: str, other: str) -> float:
            if one not in places or other not in places:
                return 0.0
            cosine = float(vectors[places[one]] @ vectors[places[other]])
            return 1.0 if one == other else min(1.0, max(0.0, cosine))

        def matrix(outputs: Sequence[str]) -> Matrix:
            return pairwise(len(outputs), lambda i, j: agreement(outputs[i], outputs[j]))

        return [matrix(outputs) for _, outputs in rows]

    def _vectors(self, texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        if not texts:
            return np.zeros((0, 1), dtype=np.float32)
        if self._encoder is None:
            self._encoder = _encoder_of(self._folder)
        vectors: np.ndarray[Any, np.dtype[np.float32]] = self._encoder.encode(
            texts, batch_size=_BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return vectors


def require_encoder(folder: Path) -> None:
    """Raise `ConfigError` where a folder holds no encoder, or the extra that runs it is not installed."""
    if not (folder / "modules.json").is_file():
        raise ConfigError(
            f"ensemble.embedding_model: {folder}: holds no sentence encoder (modules.json is missing); name a folder "
            "that sentence-transformers has saved"
        )
    if find_spec("sentence_transformers") is None:
        raise ConfigError(
            "ensemble.utility: embedding needs sentence-transformers; pip install 'ensemble-instruct[embedding]'"
        )


def _encoder_of(folder: Path) -> Any:
    require_encoder(folder)
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ConfigError(f"ensemble.embedding_model: {folder}: cannot be loaded: {error}; check the folder") from error


def comparers_for(weights: Sequence[Weights], embedding_model: Path | None) -> dict[Utility, Comparer]:
    """What compares by these utilities where there is no run: all but `judge`.

    Raises `UsageError` for `judge`, for `embedding` without a model, and for `chrf` without its extra.
    """
    names = {utility for each in weights for utility, _ in each}
    if "judge" in names:
        raise UsageError("--utility judge: needs the verdicts of a run; set ensemble.utility in a config, and run it")
    if "embedding" in names and embedding_model is None:
        raise UsageError("--utility embedding: give --embedding-model too, the folder of a sentence encoder")
    if "chrf" in names:
        require_chrf()
    return dict(PURE) if embedding_model is None else {**PURE, "embedding": Embedder(embedding_model)}
