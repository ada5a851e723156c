"""What a step made comes back from the store, and from a row of `examples.jsonl`, as it was."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from ensemble_instruct.records import KINDS, Answered, Candidate, Example, Instance, Instruction, Rejected
from ensemble_instruct.store.reading import dropped_counts, read_examples, read_rejected
from ensemble_instruct.store.rows import example_of, example_row
from ensemble_instruct.store.store import Store

KEY = "0123456789abcdef" * 2
TEXT = 'Sort "the" words:\n\tÜber, \U0001f600\u2028so.'
INSTRUCTIONS = [
    Instruction(kind="input_output", text=TEXT, request_key=KEY, round=3, most_similar=((TEXT, 0.1 + 0.2), ("a", 0.0))),
    Instruction(kind="input_output", text="Count the words.", mean_similarity=1 / 3),
]
INSTANCE = Instance(
    kind="output_only", instruction=TEXT, input="", output="yes", completion_id="c", request_key=KEY, follow_on=2
)
CANDIDATES = tuple(Candidate(INSTANCE.id, voter, f"{voter}: {TEXT}", "length", KEY) for voter in ("b", "a"))
REJECTED = [
    Rejected(step="outputs", reason="empty", text=TEXT, kind="output_only", source="s", request_key=KEY, detail="d"),
    Rejected(step="instances", reason="empty", text=""),
    Rejected(step="instances", reason="empty", text="again"),
]
EXAMPLE = Example(
    instance=replace(INSTANCE, completion_id="", request_key="", run="first"),
    output="yes",
    winners=("a", "instance"),
    agreement=2 / 3,
    confidence=0.6,
    candidates=tuple(Candidate(INSTANCE.id, voter, "yes") for voter in ("instance", "a")),
    scores=(0.1, 1.0),
    matrix=((1.0, 0.1), (0.1, 1.0)),
)


def test_records_come_back_from_the_store_as_they_were_made(tmp_path: Path) -> None:
    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            for position, instruction in enumerate(INSTRUCTIONS):
                store.add(instruction, position)
            records: list[Instance | Candidate | Rejected | Example] = [INSTANCE, *CANDIDATES, *REJECTED, EXAMPLE]
            for record in records:
                store.add(record)
            await store.flush()
            assert [[*store.instructions(kind)] for kind in KINDS] == [INSTRUCTIONS, []]
            assert [*store.answered(["a", "nobody", "b"])] == [Answered(INSTANCE, CANDIDATES[::-1])]
            assert [*read_rejected(store.reader)] == REJECTED
            assert [example_of(row) for row in read_examples(store.reader)] == [EXAMPLE]
            assert dropped_counts(store.reader) == {
                ("outputs", "output_only", "empty"): 1,
                ("instances", None, "empty"): 2,
            }

    asyncio.run(work())


@pytest.mark.parametrize("barred", [(), ("", "personal_data")])
@pytest.mark.parametrize("run", ["", "first/second"])
def test_a_row_of_examples_says_all_of_an_example_but_its_requests(barred: tuple[str, ...], run: str) -> None:
    example = replace(EXAMPLE, barred=barred, instance=replace(EXAMPLE.instance, run=run))
    assert example_of(json.loads(json.dumps(example_row(example)))) == example
