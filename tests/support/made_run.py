"""A run folder with as many examples as a test needs, without a run: what `export` reads, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ensemble_instruct.records import KINDS, Candidate, Example, Instance
from ensemble_instruct.store.database import connect
from ensemble_instruct.store.rows import example_row

VOTERS = ("instance", "granite", "qwen")
COLORS = ("amber", "blue", "coral", "denim", "ebony", "fawn", "green", "hazel", "ivory", "jade", "khaki", "lilac")

CONFIG = """
models:
  base: {base_url: "http://127.0.0.1:8000/v1", model: example/base, license: Apache-2.0}
  granite: {base_url: "http://127.0.0.1:8001/v1", model: example/granite, endpoint: chat, license: Apache-2.0}
  qwen: {base_url: "http://127.0.0.1:8002/v1", model: example/qwen, endpoint: chat, license: MIT}
roles: {instructions: base, instances: base, outputs: [granite, qwen]}
"""


def made_examples(size: int) -> list[Example]:
    """Half of each kind; every fifth pair of neighbours has the same instruction, in another case and spacing."""
    return [_example(number, KINDS[2 * number // size]) for number in range(size)]


def _example(number: int, kind: Any) -> Example:
    name = f"Größe {number // 2 if number % 10 < 2 else number}"
    instruction = f"Explain {name}." if number % 2 else f"explain  {name}.\n"
    given = f"Wert {number}\nzweite „Zeile“ 日本" if kind == "input_output" else ""
    color = COLORS[number % len(COLORS)]
    texts = (f"{color} answer {number} 😀\n\n  {color}", f"{color} answer {number} 😀\n\n  {color}", f"other {number}")
    instance = Instance(kind=kind, instruction=instruction, input=given, output=texts[0])
    candidates = tuple(Candidate(instance.id, *pair) for pair in zip(VOTERS, texts, strict=True))
    scores = (0.5 + number % 7 / 16, 0.5 + number % 7 / 16, number % 7 / 16)
    return Example(
        instance=instance,
        output=texts[0],
        winners=("granite", "instance"),
        agreement=scores[0],
        confidence=0.9 * scores[0],
        candidates=candidates,
        scores=scores,
        matrix=(scores, scores, scores),
    )


def make_run(folder: Path, examples: Iterable[Example]) -> Path:
    """The folder, with the config and the database of a finished run that has these examples."""
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    with closing(connect(folder / "run.db")) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO meta VALUES ('state', 'finished')")
        connection.executemany("INSERT INTO example VALUES (?, ?, ?, ?)", _values(examples))
        connection.execute("COMMIT")
    return folder


def _values(examples: Iterable[Example]) -> Iterator[tuple[str, int, str, str]]:
    places: Counter[str] = Counter()
    for example in examples:
        kind = example.instance.kind
        yield kind, places[kind], example.instance.id, json.dumps(example_row(example))
        places[kind] += 1
