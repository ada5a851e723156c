"""Tiny models made on the spot, in the form of CTranslate2, with numpy alone.

Their tokens are bytes. `alphabet` is a decoder that says after a character the one that follows it in `SUCCESSORS`, as
if nothing else had been said before; `drawn` is a decoder and `read` an encoder-decoder whose weights are random, so
that what they say is noise that hangs on every token before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

CONTEXT = 160
PAD, START, END, STRANGE = "<pad>", "<s>", "</s>", "<unk>"
MARKER = "|EoS|"
"""Is a special token of these models too."""
_SPECIAL = (PAD, END, STRANGE, START, MARKER)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
SUCCESSORS: Mapping[str, str] = {**dict(zip(LETTERS, f"{LETTERS[1:]}\n", strict=True)), "A": "B", "B": "🦜", "C": "D"}
"""What `alphabet` says after a character. After a digit or `?` it says any digit, after `N` nothing at all, after `D`
the marker, and after all others it ends too."""
TEMPLATE = "{% for message in messages %}<{{ message.content }}>{% endfor %}"
_HIDDEN, _HEADS = 32, 4

Array = npt.NDArray[np.float32]


def tokenizer(*, ends: bool = False) -> Tokenizer:
    """A token for each byte; with `ends`, the end token is put after each prompt."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: at for at, token in enumerate([*_SPECIAL, *letters])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=STRANGE))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(_SPECIAL))
    if ends:
        made.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    return made


@cache
def _tokens() -> tuple[str, ...]:
    vocabulary = tokenizer().get_vocab()
    return tuple(sorted(vocabulary, key=vocabulary.__getitem__))


def successors() -> Array:
    """For each token the weights of those that may follow it in `alphabet`."""
    size = len(_tokens())
    said = np.zeros((size, size), np.float32)
    said[:, 1] = 20.0
    for before, after in SUCCESSORS.items():
        tokens = [_id(before), *tokenizer().encode(after).ids]
        for each, following in pairwise(tokens):
            said[each, following] = 40.0
    for before in f"{DIGITS}?":
        said[_id(before), [_id(digit) for digit in DIGITS]] = 40.0
    said[_id("D"), _SPECIAL.index(MARKER)] = 40.0
    return said


def alphabet(folder: Path) -> Path:
    """The decoder of which every word is known; returns its folder."""
    said = successors()
    size = len(said)
    spec = _decoder(np.eye(size, dtype=np.float32), said)
    spread = np.sqrt((1 - 1 / size) / size)
    spec.decoder.layer_norm.gamma = np.full(size, spread, np.float32)  # undoes the norm of a row with a single one
    spec.decoder.layer_norm.beta = np.full(size, 1 / size, np.float32)
    return _saved(folder, spec)


def drawn(folder: Path, seed: int = 0) -> Path:
    """A decoder with random weights."""
    weights = _Weights(seed)
    return _saved(folder, _decoder(weights(len(_tokens()), _HIDDEN), weights(_HIDDEN, len(_tokens())), weights))


def read(folder: Path, seed: int = 1) -> Path:
    """An encoder-decoder with random weights."""
    from ctranslate2.specs import TransformerSpec

    weights, size = _Weights(seed), len(_tokens())
    spec: Any = TransformerSpec.from_config((1, 1), _HEADS, pre_norm=True)
    spec.encoder.embeddings[0].weight = weights(size, _HIDDEN)
    spec.encoder.layer_norm = _norm(spec.encoder.layer_norm, _HIDDEN)
    for layer in (spec.encoder.layer[0], spec.decoder.layer[0]):
        _fill_layer(layer, weights, _HIDDEN)
    _fill_ends(spec.decoder, weights(size, _HIDDEN), weights(_HIDDEN, size))
    spec.register_source_vocabulary(list(_tokens()))
    spec.register_target_vocabulary(list(_tokens()))
    spec.config.decoder_start_token = PAD
    spec.config.add_source_eos = False
    return _saved(folder, spec, ends=True)


class _Weights:
    """Random matrices, the same in every process."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> Array:
        return self._random.normal(0, 0.6, shape).astype(np.float32)


def _decoder(embeddings: Array, projection: Array, weights: _Weights | None = None) -> Any:
    """A decoder-only model; without `weights`, its layer adds nothing."""
    from ctranslate2.specs import TransformerDecoderModelSpec

    width = embeddings.shape[1]
    spec: Any = TransformerDecoderModelSpec.from_config(1, 1 if weights is None else _HEADS, pre_norm=True)
    fill = weights or (lambda *shape: np.zeros(shape, np.float32))
    spec.decoder.position_encodings.encodings = fill(CONTEXT, width)
    _fill_layer(spec.decoder.layer[0], fill, width)
    _fill_ends(spec.decoder, embeddings, projection)
    spec.register_vocabulary(list(_tokens()))
    return spec


def _fill_ends(decoder: Any, embeddings: Array, projection: Array) -> None:
    decoder.embeddings.weight = embeddings
    decoder.scale_embeddings = np.dtype("int8").type(0)
    decoder.layer_norm = _norm(decoder.layer_norm, embeddings.shape[1])
    decoder.projection.weight = np.ascontiguousarray(projection.T)


def _fill_layer(layer: Any, fill: Any, width: int) -> None:
    attentions = [layer.self_attention, *([layer.attention] if hasattr(layer, "attention") else [])]
    for attention in attentions:
        shapes = [3 * width, width] if len(attention.linear) == 2 else [width, 2 * width, width]
        for linear, rows in zip(attention.linear, shapes, strict=True):
            linear.weight, linear.bias = fill(rows, width), np.zeros(rows, np.float32)
        _norm(attention.layer_norm, width)
    for linear in (layer.ffn.linear_0, layer.ffn.linear_1):
        linear.weight, linear.bias = fill(width, width), np.zeros(width, np.float32)
    _norm(layer.ffn.layer_norm, width)


def _norm(norm: Any, width: int) -> Any:
    norm.gamma, norm.beta = np.ones(width, np.float32), np.zeros(width, np.float32)
    return norm


def _saved(folder: Path, spec: Any, *, ends: bool = False) -> Path:
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = START, END, STRANGE
    spec.validate()
    spec.optimize(quantization=None)
    folder.mkdir(parents=True)
    spec.save(str(folder))
    tokenizer(ends=ends).save(str(folder / "tokenizer.json"))
    settings = {"chat_template": TEMPLATE, "eos_token": END}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def _id(character: str) -> int:
    (token,) = tokenizer().encode(character).ids
    return int(token)
