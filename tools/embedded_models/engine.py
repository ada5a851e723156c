"""Asking a shipped folder: text in, text out, with `ctranslate2` and `tokenizers` alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

THREADS = 1
"""More do not help models as small as these, and wait for each other on busy cores."""


class Answerer:
    """An encoder-decoder model: answers greedily."""

    def __init__(self, folder: Path, compute_type: str = "default") -> None:
        import ctranslate2
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._model = ctranslate2.Translator(str(folder), compute_type=compute_type, intra_threads=THREADS)

    def answers(self, prompts: Sequence[str], most_tokens: int = 128) -> list[str]:
        """One answer for each prompt."""
        prompt_tokens = [encoding.tokens for encoding in self._tokenizer.encode_batch(list(prompts))]
        results = self._model.translate_batch(
            prompt_tokens, beam_size=1, max_decoding_length=most_tokens, max_batch_size=2048, batch_type="tokens"
        )
        return [_text(self._tokenizer, result.hypotheses[0]) for result in results]


class Writer:
    """A decoder-only model: continues texts, greedily or by sampling."""

    def __init__(self, folder: Path, compute_type: str = "default") -> None:
        import ctranslate2
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._model = ctranslate2.Generator(str(folder), compute_type=compute_type, intra_threads=THREADS)

    def continued(
        self,
        prompts: Sequence[str],
        *,
        most_tokens: int,
        least_tokens: int = 0,
        temperature: float = 0.0,
        top_k: int = 1,
    ) -> list[str]:
        """What follows each prompt, up to the end token or the limit."""
        prompt_tokens = [encoding.tokens for encoding in self._tokenizer.encode_batch(list(prompts))]
        results = self._model.generate_batch(
            prompt_tokens, max_length=most_tokens, min_length=least_tokens, include_prompt_in_result=False,
            sampling_temperature=temperature or 1.0, sampling_topk=top_k, max_batch_size=8192, batch_type="tokens",
        )  # fmt: skip
        return [_text(self._tokenizer, result.sequences[0]) for result in results]


def _text(tokenizer: Any, tokens: Sequence[str]) -> str:
    return str(tokenizer.decode([tokenizer.token_to_id(token) for token in tokens], skip_special_tokens=True))
