"""Write the seed tasks and the demonstrations of step 2 that go with the embedded models.

python -m tools.embedded_models.seeds
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

from ensemble_instruct.demo.tasks import families_of
from ensemble_instruct.demo.tasks.families import Task, make_task
from ensemble_instruct.records import KINDS, Kind

TOY = Path(__file__).parents[2] / "src" / "ensemble_instruct" / "data" / "toy"
SEED = 11
SEEDS = 40
"""How many seed tasks of each kind."""
SHOWN: dict[Kind, tuple[str, ...]] = {
    "input_output": ("reverse_words", "opposite", "extract_city", "sum"),
    "output_only": ("capital_city", "plus", "backwards", "month_after"),
}
"""The families of the demonstrations: different in what is asked, and short."""


def seed_tasks(kind: Kind) -> list[Task]:
    """Tasks in training wordings, each family once before any comes twice; never the same wording."""
    rng = Random(f"{SEED}/{kind}")
    families = families_of(kind)
    order = [*rng.sample(families, len(families)), *families][:SEEDS]
    used: set[str] = set()
    tasks = []
    for family in order:
        wording = rng.choice([text for text in family.wordings if text not in used])
        used.add(wording)
        tasks.append(make_task(family, rng, wordings=(wording,)))
    return tasks


def demonstrations(kind: Kind) -> list[Task]:
    """Short tasks of different families in training wordings."""
    rng = Random(f"{SEED}/{kind}/demonstrations")
    families = {family.name: family for family in families_of(kind)}
    return [make_task(families[name], rng, wordings=families[name].wordings) for name in SHOWN[kind]]


def seed_rows() -> list[dict[str, Any]]:
    """The rows of `seed_tasks.jsonl`, in Self-Instruct's schema."""
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        for task in seed_tasks(kind):
            rows.append({
                "id": f"toy_task_{len(rows)}",
                "name": task.family.name,
                "instruction": task.instruction,
                "instances": [{"input": task.input, "output": task.output}],
                "is_classification": "classify" in task.family.name or "kind_of" in task.family.name,
            })  # fmt: skip
    return rows


def demonstration_rows(kind: Kind) -> list[dict[str, str]]:
    """The rows of the demonstrations of one kind."""
    return [
        {"instruction": task.instruction, **({"input": task.input} if task.input else {}), "output": task.output}
        for task in demonstrations(kind)
    ]


def as_lines(rows: Iterable[dict[str, Any]]) -> str:
    """The rows as JSONL."""
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def main() -> None:
    """Write the files."""
    (TOY / "seed_tasks.jsonl").write_text(as_lines(seed_rows()), encoding="utf-8")
    for kind in KINDS:
        (TOY / f"demonstrations_{kind}.jsonl").write_text(as_lines(demonstration_rows(kind)), encoding="utf-8")


if __name__ == "__main__":
    main()
