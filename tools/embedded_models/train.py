"""Train one of the embedded models from nothing, on the CPU.

    python -m tools.embedded_models.train tiny-base [--to build/embedded-models] [--steps N] [--minutes M] [--go-on]

Writes a Hugging Face folder, at the end and every few hundred steps, and a line of JSON with what was done.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby, islice
from pathlib import Path
from random import Random
from typing import Any

from tools.embedded_models.corpus import SHARES, answer_pairs, documents
from tools.embedded_models.shapes import BUILD, SEED, SHAPES, Shape
from tools.embedded_models.tokenizer import save_for_transformers, trained_tokenizer

THREADS = 1
"""Of each process: on busy cores two threads wait for each other; train two models at a time instead."""
CONTEXT = 512
WARM_UP = 150
SAVE_EVERY = 250
POOL = 8192
"""Pairs that are made, sorted by length and cut into batches at a time."""
IGNORED = -100


def packed_batches(shape: Shape, tokenizer: Any, part: int = 1) -> Iterator[dict[str, Any]]:
    """Batches of documents one after the other, each row beginning with a new document."""
    import torch

    source = documents(Random(f"{SEED}/{shape.name}/{part}"), SHARES[shape.name])
    end, rows = tokenizer.token_to_id("</s>"), shape.batch_tokens // CONTEXT
    while True:
        rows_of_tokens = []
        for _ in range(rows):
            row: list[int] = []
            while len(row) < CONTEXT:
                row += [*tokenizer.encode(next(source)).ids, end]
            rows_of_tokens.append(row[:CONTEXT])
        tokens = torch.tensor(rows_of_tokens)
        yield {"input_ids": tokens, "labels": tokens}


def pair_batches(shape: Shape, tokenizer: Any, part: int = 1) -> Iterator[dict[str, Any]]:
    """Batches of pairs of about the same length."""
    rng = Random(f"{SEED}/{shape.name}/{part}")
    source = answer_pairs(rng, SHARES[shape.name])
    while True:
        pairs = list(islice(source, POOL))
        prompts = [encoding.ids for encoding in tokenizer.encode_batch([prompt for prompt, _ in pairs])]
        answers = [encoding.ids for encoding in tokenizer.encode_batch([answer for _, answer in pairs])]
        widths = [rounded_up(len(prompt), 8) for prompt in prompts]
        order = sorted(range(POOL), key=lambda place: (widths[place], len(answers[place]), rng.random()))
        batches: list[list[int]] = []
        for width, places in groupby(order, key=widths.__getitem__):
            batches += _full_batches(list(places), shape.batch_tokens // width)
        rng.shuffle(batches)
        for batch in batches:
            yield {
                "input_ids": _padded([prompts[place] for place in batch], 8, 0),
                "attention_mask": _padded([[1] * len(prompts[place]) for place in batch], 8, 0),
                "labels": _padded([answers[place] for place in batch], 4, IGNORED),
            }


def _full_batches(places: list[int], rows: int) -> list[list[int]]:
    """Batches of exactly `rows` rows: what is over at the end is left out, since new shapes cost time."""
    return [places[first : first + rows] for first in range(0, len(places) - rows + 1, rows)]


def rounded_up(length: int, multiple: int) -> int:
    """The next multiple that is not below the length."""
    return -(-length // multiple) * multiple


def _padded(rows: list[list[int]], multiple: int, filler: int) -> Any:
    import torch

    longest = rounded_up(max(map(len, rows)), multiple)
    return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])


def rate_at(step: int, done: float, highest: float) -> float:
    """Linear warm-up, times a cosine down to a hundredth; `done` is the share of the training behind."""
    return highest * min(1.0, (step + 1) / WARM_UP) * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def rate_groups(shape: Shape, model: Any) -> list[dict[str, Any]]:
    """The weights in groups with a highest learning rate each.

    T5 does not divide attention scores by the root of the head's width: its queries are that much smaller, and so must
    their steps be, or attention settles on some token before it has learned anything. Its position biases, on the other
    hand, are added to scores as they are, and have a long way to go.
    """
    groups: dict[float, list[Any]] = {}
    for name, weights in model.named_parameters():
        factor = 1.0
        if name.endswith(".q.weight"):
            factor = (shape.width // shape.heads) ** -0.5
        elif "relative_attention_bias" in name:
            factor = 5.0
        groups.setdefault(factor * shape.rate, []).append(weights)
    return [{"params": weights, "lr": rate, "highest": rate} for rate, weights in groups.items()]


def faster_precision() -> AbstractContextManager[Any]:
    """Autocast to bfloat16 where the processor multiplies such matrices in hardware."""
    import torch

    if "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        cast: AbstractContextManager[Any] = torch.autocast("cpu", dtype=torch.bfloat16)
        return cast
    return nullcontext()


def train(shape: Shape, steps: int, minutes: float, folder: Path, before: dict[str, Any]) -> dict[str, Any]:
    """Train and save; what was done. Ends after the steps or the minutes, whichever is first.

    `before`: what was done in earlier parts, whose weights lie in the folder; empty to begin from nothing.
    """
    import torch

    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    tokenizer = trained_tokenizer(is_decoder_only=shape.is_decoder_only)
    part = before.get("parts", 0) + 1
    model = (shape.new_model() if part == 1 else type(shape.new_model()).from_pretrained(folder)).train()
    optimizer = torch.optim.AdamW(rate_groups(shape, model), betas=(0.9, 0.98), weight_decay=0.01, foreach=True)
    batches = (packed_batches if shape.is_decoder_only else pair_batches)(shape, tokenizer, part)
    began, seen, losses = time.perf_counter(), 0, list[float]()
    for step, batch in enumerate(islice(batches, steps)):
        done = max(step / steps, (time.perf_counter() - began) / (60 * minutes))
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, done, group["highest"])
        with faster_precision():
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seen += batch["input_ids"].numel()
        if (step + 1) % 50 == 0:
            spent = time.perf_counter() - began
            mean = sum(losses[-50:]) / 50
            print(
                f"{shape.name} step {step + 1}/{steps} loss {mean:.4f} {seen / spent:.0f} tok/s {spent:.0f} s",
                flush=True,
            )
        if (step + 1) % SAVE_EVERY == 0:
            save(model, tokenizer, folder)
    save(model, tokenizer, folder)
    added = {
        "parts": 1,
        "steps": len(losses),
        "tokens": seen,
        "seconds": round(time.perf_counter() - began),
        "cpu_seconds": round(time.process_time()),
    }
    return {
        "model": shape.name,
        "parameters": sum(weights.numel() for weights in model.parameters()),
        **{name: number + before.get(name, 0) for name, number in added.items()},
        "loss": round(sum(losses[-50:]) / len(losses[-50:]), 4),
    }


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write the Hugging Face folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    save_for_transformers(tokenizer, folder)


def main() -> None:
    """Read the arguments, train, print and keep what was done."""
    parser = argparse.ArgumentParser(description="Train one of the embedded models.")
    parser.add_argument("name", choices=SHAPES)
    parser.add_argument("--to", type=Path, default=BUILD)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after so long; the rate falls in time")
    parser.add_argument("--go-on", action="store_true", help="a further part, from the weights in the folder")
    options = parser.parse_args()
    shape = SHAPES[options.name]
    folder = options.to / shape.name
    record = folder / "training.json"
    before = {"parts": 1, **json.loads(record.read_text(encoding="utf-8"))} if options.go_on else {}
    done = train(shape, options.steps or shape.steps, options.minutes, folder, before)
    record.write_text(f"{json.dumps(done)}\n", encoding="utf-8")
    print(json.dumps(done))


if __name__ == "__main__":
    main()
