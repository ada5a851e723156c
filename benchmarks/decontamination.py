"""How long does decontamination take? Examples against the texts of a benchmark, both made up.

    .venv/bin/python benchmarks/decontamination.py [--texts 100000] [--examples 100000] [--verify 300]

The texts are instructions as `benchmarks/novelty.py` makes them, every other one with a passage after it. One example
in a hundred holds 13 to 20 words of a benchmark's text, another one is an edited copy of one; all others are new. Each
example is asked about as step 5 does: instruction and input, then the three different outputs. Memory is that of the
process beyond the texts and the examples. Needs Linux (reads /proc).

`--verify` compares that many answers with those of a search through all texts by words alone, without any index. Ends
with 1 if one differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from novelty import GRAMMARS, Maker

from ensemble_instruct.quality.decontamination import FEWEST_WORDS, THRESHOLD, WORDS, Benchmarks
from ensemble_instruct.rouge import lcs_f1, word_tokens

Example = tuple[str, str, list[str]]
"""Instruction, input, outputs."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--verify", type=int, default=300, metavar="N")
    arguments = parser.parse_args()
    texts, examples = _benchmark(arguments.texts), _examples(arguments.examples)
    _contaminate(examples, texts)
    with tempfile.TemporaryDirectory(prefix="decontamination-") as folder:
        path = Path(folder) / "benchmark.txt"
        path.write_text("\n".join(texts) + "\n")
        before, began = _memory("VmRSS"), time.perf_counter()
        benchmarks = Benchmarks([path])
        benchmarks.task_hit("a first question builds the index of the pool", "")
        built, asked_at = time.perf_counter() - began, time.perf_counter()
        hits = [_is_hit(benchmarks, example) for example in examples]
        took = time.perf_counter() - asked_at
        held, peak = _memory("VmRSS") - before, _memory("VmHWM") - before
    words = sum(len(text.split()) for text in texts)
    print(f"{len(texts):,} texts of {words:,} words, read and indexed in {built:.1f} s")
    print(f"{len(examples):,} examples in {took:.1f} s, {1e6 * took / len(examples):.0f} us each: {Counter(hits)}")
    print(f"memory {held / 2**20:.0f} MiB, at most {peak / 2**20:.0f} MiB")
    return _verify(texts, examples, hits, arguments.verify)


def _is_hit(benchmarks: Benchmarks, example: Example) -> bool:
    instruction, task_input, outputs = example
    return benchmarks.task_hit(instruction, task_input) is not None or any(map(benchmarks.output_hit, outputs))


def _benchmark(count: int) -> list[str]:
    instructions, passages = Maker(GRAMMARS["instructions"], 1), Maker(GRAMMARS["long"], 2)
    first, second = instructions.distinct(count), passages.distinct(count // 2 + 1)
    return [f"{text} {second[number // 2]}" if number % 2 else text for number, text in enumerate(first)]


def _examples(count: int) -> list[Example]:
    instructions = Maker(GRAMMARS["instructions"], 3).distinct(2 * count)
    outputs = Maker(GRAMMARS["long"], 4).distinct(count // 4 + 3)
    return [
        (
            instructions[2 * number],
            instructions[2 * number + 1] if number % 2 else "",
            [outputs[(number + place) % len(outputs)] for place in range(3)],
        )
        for number in range(count)
    ]


def _contaminate(examples: list[Example], texts: list[str]) -> None:
    rng = random.Random(5)
    for number in range(0, len(examples), 50):
        instruction, task_input, outputs = examples[number]
        words = rng.choice(texts).split()
        if number % 100 and len(words) >= WORDS:
            start = rng.randrange(len(words) - WORDS + 1)
            task_input = f"{task_input} {' '.join(words[start : start + rng.randint(WORDS, 20)])}"
        else:
            words[rng.randrange(len(words))] = "otherwise"
            instruction = " ".join(words)
        examples[number] = (instruction, task_input, outputs)


def _verify(texts: list[str], examples: list[Example], hits: list[bool], count: int) -> int:
    """Compare with a search through all texts; half of those asked are contaminated."""
    known = [word_tokens(text) for text in texts]
    lengths = sorted({min(len(text), WORDS) for text in known if len(text) >= FEWEST_WORDS})
    chosen = [*range(0, len(examples), 50)][: count // 2]
    chosen += random.Random(6).sample(range(len(examples)), min(len(examples), count - len(chosen)))
    runs = {
        number: {
            tuple(text[at : at + n]) for text in _texts(examples[number]) for n in lengths for at in range(len(text))
        }
        for number in chosen
    }
    wanted = set().union(*runs.values())
    passage = [word for text in known for word in text]  # without a blank line between them the texts are one paragraph
    there = {run for at in range(len(passage) - WORDS + 1) if (run := tuple(passage[at : at + WORDS])) in wanted}
    there |= {run for text in known if FEWEST_WORDS <= len(text) < WORDS and (run := tuple(text)) in wanted}
    different = 0
    for number in chosen:
        instruction, task_input, outputs = examples[number]
        alone = [tokens for text in (task_input, *outputs) if len(tokens := word_tokens(text)) >= FEWEST_WORDS]
        close = [*map(word_tokens, (instruction, f"{instruction}\n{task_input}")), *alone]
        truth = bool(runs[number] & there) or any(
            lcs_f1(text, one) > THRESHOLD
            for text in known
            for one in close
            if 2 * min(len(text), len(one)) > THRESHOLD * (len(text) + len(one))
        )
        different += truth != hits[number]
    print(f"{different} of {len(chosen)} answers differ from those of a search through all texts")
    return 1 if different else 0


def _texts(example: Example) -> list[list[str]]:
    instruction, task_input, outputs = example
    return [word_tokens(text) for text in (f"{instruction}\n{task_input}", *outputs)]


def _memory(name: str) -> int:
    """A line of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    sys.exit(main())
