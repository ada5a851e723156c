"""From a shipped CTranslate2 folder back to a Hugging Face folder: the same weights, de-quantised, for `transformers`.

    python -m tools.embedded_models.restore tiny-a --to FOLDER

So the same weights can be run by both engines without being shipped twice. The layout of `model.bin` is that of
CTranslate2's binary version 6; `TransformersConverter` wrote it from the names on the right-hand side below.
"""

from __future__ import annotations

import argparse
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tools.embedded_models.shapes import SHAPES, SHIPPED, Shape

Weights = NDArray[Any]
_DTYPES = ("<f4", "<i1", "<i2", "<i4", "<f2")
_BINARY_VERSION = 6


def restore(shipped: Path, folder: Path) -> None:
    """Write `config.json`, `model.safetensors` and the tokenizer's files into the folder."""
    import torch
    from tokenizers import Tokenizer

    from tools.embedded_models.tokenizer import save_for_transformers

    shape = SHAPES[shipped.name]
    variables = dequantised(shipped / "model.bin")
    named = dict(_decoder_only(shape, variables) if shape.is_decoder_only else _encoder_decoder(shape, variables))
    model = shape.new_model()
    tensors = {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in named.items()}
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    tied = {"lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}
    if unexpected or set(missing) - tied:
        raise ValueError(f"{shipped}: weights do not fit the shape: {sorted({*missing, *unexpected} - tied)}")
    model.tie_weights()
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    save_for_transformers(Tokenizer.from_file(str(shipped / "tokenizer.json")), folder)


def differences(shipped: Path, folder: Path, prompts: Sequence[str], most_tokens: int = 40) -> list[tuple[str, str]]:
    """Restore, and give the pairs of greedy texts (CTranslate2, `transformers`) that differ; all is float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    from tools.embedded_models.engine import Answerer, Writer

    torch.set_num_threads(1)
    restore(shipped, folder)
    is_decoder_only = SHAPES[shipped.name].is_decoder_only
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = (AutoModelForCausalLM if is_decoder_only else AutoModelForSeq2SeqLM).from_pretrained(folder).eval()
    if is_decoder_only:
        ours = Writer(shipped, "float32").continued(prompts, most_tokens=most_tokens)
    else:
        ours = Answerer(shipped, "float32").answers(prompts, most_tokens)
    pairs = []
    for prompt, text in zip(prompts, ours, strict=True):
        encoded = tokenizer(prompt, return_tensors="pt")
        with torch.inference_mode():
            (generated,) = model.generate(
                encoded["input_ids"],
                attention_mask=encoded["attention_mask"],
                max_new_tokens=most_tokens,
                do_sample=False,
            )
        new = generated[encoded["input_ids"].shape[1] :] if is_decoder_only else generated
        pairs.append((text, tokenizer.decode(new, skip_special_tokens=True)))
    return [pair for pair in pairs if pair[0] != pair[1]]


def dequantised(path: Path) -> dict[str, Weights]:
    """The variables of a `model.bin` by name, aliases among them; int8 weights as the numbers that they stand for."""
    with path.open("rb") as file:
        variables, aliases = _variables(file)
    for name, value in variables.items():
        if value.dtype == np.int8 and value.ndim == 2:
            variables[name] = value.astype(np.float32) / variables[f"{name}_scale"][:, None]
    return variables | {alias: variables[name] for alias, name in aliases.items() if name in variables}


def _variables(file: BinaryIO) -> tuple[dict[str, Weights], dict[str, str]]:
    """The variables as the file has them, and the aliases."""
    (version,) = _read(file, "I")
    if version != _BINARY_VERSION:
        raise ValueError(f"{file.name}: binary version {version}, not {_BINARY_VERSION}; convert it anew")
    _string(file)
    _read(file, "I")
    variables: dict[str, Weights] = {}
    for _ in range(_read(file, "I")[0]):
        name = _string(file)
        shape = [_read(file, "I")[0] for _ in range(_read(file, "B")[0])]
        dtype = _DTYPES[_read(file, "B")[0]]
        variables[name] = np.frombuffer(file.read(_read(file, "I")[0]), dtype).reshape(shape)
    return variables, {_string(file): _string(file) for _ in range(_read(file, "I")[0])}


def _read(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(f"<{layout}", file.read(struct.calcsize(f"<{layout}")))


def _string(file: BinaryIO) -> str:
    return file.read(_read(file, "H")[0])[:-1].decode()


def _decoder_only(shape: Shape, variables: dict[str, Weights]) -> Iterator[tuple[str, Weights]]:
    yield "model.embed_tokens.weight", variables["decoder/embeddings/weight"]
    yield "model.norm.weight", variables["decoder/layer_norm/gamma"]
    for number in range(shape.layers):
        ours, theirs = f"model.layers.{number}", f"decoder/layer_{number}"
        fused = np.split(variables[f"{theirs}/self_attention/linear_0/weight"], 3)
        for part, weights in zip("qkv", fused, strict=True):
            yield f"{ours}.self_attn.{part}_proj.weight", weights
        yield f"{ours}.self_attn.o_proj.weight", variables[f"{theirs}/self_attention/linear_1/weight"]
        yield f"{ours}.input_layernorm.weight", variables[f"{theirs}/self_attention/layer_norm/gamma"]
        yield f"{ours}.post_attention_layernorm.weight", variables[f"{theirs}/ffn/layer_norm/gamma"]
        for part, name in (("gate", "linear_0"), ("up", "linear_0_noact"), ("down", "linear_1")):
            yield f"{ours}.mlp.{part}_proj.weight", variables[f"{theirs}/ffn/{name}/weight"]


def _encoder_decoder(shape: Shape, variables: dict[str, Weights]) -> Iterator[tuple[str, Weights]]:
    yield "shared.weight", variables["encoder/embeddings_0/weight"]
    yield "lm_head.weight", variables["decoder/projection/weight"]
    for stack, layers in (("encoder", shape.layers), ("decoder", shape.decoder_layers)):
        yield f"{stack}.final_layer_norm.weight", variables[f"{stack}/layer_norm/gamma"]
        bias = variables[f"{stack}/layer_0/self_attention/relative_attention_bias"]
        yield f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", bias
        for number in range(layers):
            yield from _block(f"{stack}.block.{number}.layer", f"{stack}/layer_{number}", variables, stack == "decoder")


def _block(ours: str, theirs: str, variables: dict[str, Weights], has_cross: bool) -> Iterator[tuple[str, Weights]]:
    fused = np.split(variables[f"{theirs}/self_attention/linear_0/weight"], 3)
    for part, weights in zip("qkv", fused, strict=True):
        yield f"{ours}.0.SelfAttention.{part}.weight", weights
    yield f"{ours}.0.SelfAttention.o.weight", variables[f"{theirs}/self_attention/linear_1/weight"]
    yield f"{ours}.0.layer_norm.weight", variables[f"{theirs}/self_attention/layer_norm/gamma"]
    if has_cross:
        keys, values = np.split(variables[f"{theirs}/attention/linear_1/weight"], 2)
        queries, last = (variables[f"{theirs}/attention/linear_{number}/weight"] for number in (0, 2))
        for part, weights in zip("qkvo", (queries, keys, values, last), strict=True):
            yield f"{ours}.1.EncDecAttention.{part}.weight", weights
        yield f"{ours}.1.layer_norm.weight", variables[f"{theirs}/attention/layer_norm/gamma"]
    inner = f"{ours}.{2 if has_cross else 1}"
    for part, name in (("wi_0", "linear_0"), ("wi_1", "linear_0_noact"), ("wo", "linear_1")):
        yield f"{inner}.DenseReluDense.{part}.weight", variables[f"{theirs}/ffn/{name}/weight"]
    yield f"{inner}.layer_norm.weight", variables[f"{theirs}/ffn/layer_norm/gamma"]


def main() -> None:
    """Read the arguments and restore."""
    parser = argparse.ArgumentParser(description="Build a Hugging Face folder from a shipped model.")
    parser.add_argument("name", choices=SHAPES)
    parser.add_argument("--from", dest="source", type=Path, default=SHIPPED)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    restore(options.source / options.name, options.to)


if __name__ == "__main__":
    main()
