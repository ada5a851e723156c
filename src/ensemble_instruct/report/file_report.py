"""A user's file of tasks, or of step 1 or 2, as one page and as JSON: what such a file can tell of itself.

The file is read once. Texts are looked at in a sample, every n-th row; which rows repeat an earlier one is known of all
of them, at the price of some bytes for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ensemble_instruct.files.jsonl import JsonRow
from ensemble_instruct.files.task_rows import read_task_or_step_rows
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.records import KINDS, Kind
from ensemble_instruct.report.charts import Arc, Plot, columns_plot, lengths_plot, sunburst
from ensemble_instruct.report.context import Cells, verb_cells
from ensemble_instruct.report.histograms import Series, ShownText, series, shortened, unit_edges, word_edges, words_in
from ensemble_instruct.report.page import environment, write_page
from ensemble_instruct.report.records import EXAMPLE_TEXT, SAMPLE
from ensemble_instruct.report.verbs import Verbs, count_verbs
from ensemble_instruct.version import __version__

_LOOKS = 3
"""Rows of each kind that are shown."""
_PARTS = ("instruction", "input", "completion", "output")
"""Of a row, as far as it has them, those whose words are counted."""
RowsOf = Literal["tasks", "instructions", "completions"]
"""What a file holds: tasks with their answers, or what step 1 or step 2 wrote."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Words of a part of the tasks."""

    part: str
    edges: tuple[float, ...]
    words: Series


@dataclass(frozen=True, slots=True)
class Likeness:
    """ROUGE-L F1 of instructions to the nearest earlier one of the sample."""

    edges: tuple[float, ...]
    nearest: Series


@dataclass(frozen=True, slots=True)
class Look:
    """A task to look at."""

    kind: Kind | None
    """None where the file does not say it."""
    instruction: ShownText
    input: ShownText
    completion: ShownText
    output: ShownText


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """All that the page of a file shows."""

    file: str
    rows_of: RowsOf
    rows: int
    kinds: Mapping[str, int]
    """Of tasks alone."""
    repeated: int
    """Rows whose instruction and input an earlier one has, apart from case and white space."""
    with_system: int
    """Conversations that begin with a message of the system."""
    sampled: int
    """Rows whose texts were looked at."""
    lengths: tuple[Lengths, ...]
    likeness: Likeness | None
    verbs: Verbs
    looks: tuple[Look, ...]


def read_file_report(path: Path, parser: str | None = None) -> FileReport:
    """The numbers of a file; `parser` names a spaCy model that looks for verbs in place of the rule.

    Raises `InputFileError` for a file that cannot be read and a row that is not a task, `UsageError` where that model
    is not installed.
    """
    kinds: Counter[Kind | None] = Counter()
    seen: set[int] = set()
    sample, with_system = _Sample(), 0
    for row in read_task_or_step_rows(path):
        kinds[_kind_of(row)] += 1
        seen.add(hash((_plain(row["instruction"]), _plain(row.get("input", "")))))
        with_system += "system" in row
        sample.add(row)
    instructions = [row["instruction"] for row in sample.rows]
    return FileReport(
        file=path.name,
        rows_of=_rows_of(sample.rows),
        rows=kinds.total(),
        kinds={kind: kinds[kind] for kind in KINDS if kinds[kind]},
        repeated=kinds.total() - len(seen),
        with_system=with_system,
        sampled=len(sample.rows),
        lengths=tuple(_lengths(sample.rows)),
        likeness=_likeness(instructions),
        verbs=count_verbs(instructions, parser),
        looks=tuple(_looks(sample.rows)),
    )


def file_report_json(report: FileReport) -> dict[str, Any]:
    """The same numbers as an object for JSON."""
    return {"report_version": __version__, **asdict(report)}


def write_file_report(path: Path, to: Path, parser: str | None = None) -> None:
    """Write the page of a file; it is complete or untouched. Raises what `read_file_report` does."""
    write_page(_page(read_file_report(path, parser)), to)


class _Sample:
    """Every n-th row; n doubles when they become too many, so that they are spread evenly however many come."""

    def __init__(self) -> None:
        self.rows: list[JsonRow] = []
        self._every, self._seen = 1, 0

    def add(self, row: JsonRow) -> None:
        if self._seen % self._every == 0:
            self.rows.append(row)
        if len(self.rows) > SAMPLE:
            self.rows = self.rows[::2]
            self._every *= 2
        self._seen += 1


def _rows_of(rows: Sequence[JsonRow]) -> RowsOf:
    if not rows or "output" in rows[0]:
        return "tasks"
    return "completions" if "completion" in rows[0] else "instructions"


def _kind_of(row: JsonRow) -> Kind | None:
    if "input" not in row:
        return None
    return "input_output" if row["input"].strip() else "output_only"


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _lengths(rows: Sequence[JsonRow]) -> list[Lengths]:
    lengths = []
    for part in _PARTS:
        words = [words_in(row[part]) for row in rows if part in row and (part != "input" or row[part].strip())]
        if words:
            edges = word_edges(words)
            lengths.append(Lengths(part, edges, series(words, edges)))
    return lengths


def _likeness(instructions: Sequence[str]) -> Likeness | None:
    pool, scores = NoveltyPool(), []
    for place, text in enumerate(instructions):
        if place:
            scores.append(pool.nearest(text)[0])
        pool.add(text)
    edges = unit_edges(20)
    return Likeness(edges, series(scores, edges, upper=True)) if scores else None


def _looks(rows: Sequence[JsonRow]) -> list[Look]:
    looks = []
    for kind in (*KINDS, None):
        of_kind = [row for row in rows if _kind_of(row) == kind]
        places = dict.fromkeys(len(of_kind) * number // _LOOKS for number in range(_LOOKS) if of_kind)
        looks += [_look(kind, of_kind[place]) for place in places]
    return looks


def _look(kind: Kind | None, row: JsonRow) -> Look:
    instruction, task_input, completion, output = (shortened(row.get(part, ""), *EXAMPLE_TEXT) for part in _PARTS)
    return Look(kind, instruction, task_input, completion, output)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What the page calls the rows of a file."""

    one: str
    several: str
    name: str
    """Short for several."""
    lacks: str
    """What is not in them yet, as a sentence; empty for tasks."""
    repeats: str
    """What a row has in common with one that it repeats."""


_WORDING: Mapping[RowsOf, Wording] = {
    "tasks": Wording(
        one="task with its answer",
        several="tasks with their answers",
        name="tasks",
        lacks="",
        repeats="the instruction and the input",
    ),
    "instructions": Wording(
        one="instruction of step 1",
        several="instructions of step 1",
        name="instructions",
        lacks="They have no input and no output yet: the commands instances and then parse make them.",
        repeats="the instruction",
    ),
    "completions": Wording(
        one="completion of step 2",
        several="completions of step 2",
        name="completions",
        lacks="Input and output are not read out of them yet: the command parse does that.",
        repeats="the instruction",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContext:
    """All names that the template knows, besides the words of the page and its filters."""

    report: FileReport
    wording: Wording
    verbs: Verbs
    verb_arcs: tuple[Arc, ...]
    verb_cells: tuple[Cells, ...]
    verb_rows: int
    """Rows of which the verbs may be a sample."""
    verbs_of: str
    """Whose instructions these are; empty where they are rows themselves."""
    lengths: tuple[tuple[Lengths, Plot], ...]
    likeness: Plot | None


def _page(report: FileReport) -> str:
    wording = _WORDING[report.rows_of]
    context = FileContext(
        report=report,
        wording=wording,
        verbs=report.verbs,
        verb_arcs=sunburst(report.verbs) if report.verbs.found else (),
        verb_cells=verb_cells(report.verbs),
        verb_rows=report.rows,
        verbs_of="" if report.rows_of == "instructions" else wording.name,
        lengths=tuple((part, lengths_plot(part.part, part.edges, part.words, wording.name)) for part in report.lengths),
        likeness=_likeness_plot(report.likeness) if report.likeness else None,
    )
    names = {field.name: getattr(context, field.name) for field in fields(context)}
    return environment().get_template("file.html.j2").render(names)


def _likeness_plot(likeness: Likeness) -> Plot:
    title = "ROUGE-L F1 of instructions to the nearest earlier one"
    return columns_plot(title, likeness.edges, likeness.nearest, "instructions")
