"""Tasks with the outputs of some models and what each output is worth: by a reference, or by a judge's preference.

By a reference the score of an output is its ROUGE-L F1 to it (words of every script, stemmed), by a preference the
number that the row has for its model; both times 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ensemble_instruct.agreement.answers import source_of
from ensemble_instruct.agreement.ballots import Ballot
from ensemble_instruct.agreement.embeddings import comparers_for
from ensemble_instruct.agreement.task_ballots import ballot_with_contents
from ensemble_instruct.agreement.utilities import ROUGE_L, Weights, mixed
from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.conversations import asked_text, content_text
from ensemble_instruct.files.jsonl import JsonRow, dump, require_fields, type_name
from ensemble_instruct.files.rows import NumberedRow, read_rows
from ensemble_instruct.records import Instance, Kind
from ensemble_instruct.rouge import lcs_f1, word_tokens

Source = Iterable[Mapping[str, Any]] | Path | str
"""Rows, or the file that has them."""
Label = Literal["reference", "preference"]
"""What the outputs of a row are held against."""

_FIELDS: dict[str, type] = {"instruction": str, "input": str, "outputs": dict}
"""Of every row."""
_PROMPTS = ("prompt", "messages", "conversations")
"""Where a row may have its instruction, too."""
_LABELS: dict[Label, type] = {"reference": str, "preference": dict}
"""Of which each row has one, the same in all rows."""
_FORM = "instruction, input, reference, outputs on each line, or with preference in the place of reference"
"""Of a file, in words."""
_LARGEST = 1e9
"""Beyond this a number is no preference, but a mistake."""


@dataclass(frozen=True, slots=True)
class Task:
    """The outputs that there are for one task, in the order of the models' names."""

    instance: Instance
    """Its id is what `random` draws by."""
    places: tuple[int, ...]
    """Of the models that have an output."""
    ballot: Ballot
    """Of these outputs."""
    scores: tuple[float, ...]
    """For each model, with an output or not; NaN where there is no number."""

    @property
    def source(self) -> str:
        """What an output must not just repeat."""
        return source_of(self.instance.instruction, self.instance.input)


@dataclass(frozen=True, slots=True)
class LabelledTasks:
    """Tasks, and what was said of the outputs of some models; the names are sorted."""

    models: tuple[str, ...]
    tasks: tuple[Task, ...]
    label: Label
    is_by_rouge_l: bool = True
    """Whether ROUGE-L alone is the utility."""


def read_labelled_tasks(
    source: Source, weights: Weights = ROUGE_L, embedding_model: Path | str | None = None
) -> LabelledTasks:
    """The tasks of a file or of rows.

    Raises `InputFileError`, with file and line, for what is not such a task.
    """
    comparers = comparers_for([weights], None if embedding_model is None else Path(embedding_model))
    label, rows = _read(source)
    models = tuple(sorted({name for row in rows for name in row["outputs"]}))
    name = str(source) if isinstance(source, str | Path) else "rows"
    if len(models) < 2:
        raise InputFileError(f"{name}: has the outputs of {len(models)} of the two models or more that it needs")
    instances = [_instance(row) for row in rows]
    texts = [tuple(row["outputs"][model] for model in models if model in row["outputs"]) for row in rows]
    matrices = mixed(weights, comparers, list(zip(instances, texts, strict=True)))
    tasks = []
    for row, instance, outputs, matrix in zip(rows, instances, texts, matrices, strict=True):
        places = tuple(place for place, model in enumerate(models) if model in row["outputs"])
        ballot = ballot_with_contents(instance, outputs, matrix)
        tasks.append(Task(instance, places, ballot, _scores(row, models)))
    if all(math.isnan(score) for task in tasks for score in task.scores):
        raise InputFileError(f"{name}: has no number for any output; 'preference' needs one for the names in 'outputs'")
    return LabelledTasks(models, tuple(tasks), label, is_by_rouge_l=weights == ROUGE_L)


def _instance(row: JsonRow) -> Instance:
    kind: Kind = "input_output" if row["input"].strip() else "output_only"
    return Instance(kind=kind, instruction=row["instruction"], input=row["input"], output="")


def _scores(row: JsonRow, models: tuple[str, ...]) -> tuple[float, ...]:
    outputs: Mapping[str, str] = row["outputs"]
    if "preference" in row:
        numbers = {name: row["preference"].get(name) for name in outputs}
        return tuple(100.0 * number if (number := numbers.get(name)) is not None else math.nan for name in models)
    reference = word_tokens(row["reference"], stem=True)
    return tuple(
        100 * lcs_f1(reference, word_tokens(outputs[name], stem=True)) if name in outputs else math.nan
        for name in models
    )


def _read(source: Source) -> tuple[Label, list[JsonRow]]:
    """What the rows have in the place of a label, and the rows; an output that is null is as one that is not there."""
    name, line, numbered = (
        (str(source), "line", read_rows(Path(source), {}))
        if isinstance(source, str | Path)
        else ("rows", "row", _numbered(source))
    )
    label: Label = "reference"
    first = 0
    rows: list[JsonRow] = []
    for number, row_there, where in numbered:
        row = _with_texts(row_there)
        require_fields(row, where, _FIELDS)
        has = _label_of(row, where)
        if not rows:
            label, first = has, number
        if has != label:
            raise InputFileError(
                f"{where}: {line} {number} has a {has} and {line} {first} a {label}; give all rows the same"
            )
        row["outputs"] = _outputs_of(row, where)
        rows.append(row)
    if not rows:
        raise InputFileError(f"{name}: holds no rows; put one object with {_FORM}")
    return label, rows


def _with_texts(row: JsonRow) -> JsonRow:
    """A row with texts in the place of messages and their parts; a conversation is a task without an input."""
    row = dict(row)
    prompt = next((name for name in _PROMPTS if name in row), None)
    if "instruction" not in row and prompt is not None and (asked := asked_text(row[prompt])) is not None:
        row |= {"instruction": asked, "input": row.get("input", "")}
    if "input" in row and row["input"] is None:
        row["input"] = ""
    if isinstance(row.get("reference"), int | float):
        row["reference"] = dump(row["reference"])
    if isinstance(row.get("reference"), list):
        row["reference"] = content_text(row["reference"]) or row["reference"]
    if isinstance(row.get("outputs"), dict):
        parts = {name: content_text(value) for name, value in row["outputs"].items() if isinstance(value, list)}
        row["outputs"] = row["outputs"] | {name: text for name, text in parts.items() if text is not None}
    return row


def _numbered(rows: Iterable[Mapping[str, Any]]) -> Iterator[NumberedRow]:
    """Rows that are in memory already, numbered from 1."""
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise InputFileError(f"rows:{number}: expected a mapping with {_FORM}, found {row!r}")
        yield NumberedRow(number, dict(row), f"rows:{number}")


def _label_of(row: JsonRow, where: str) -> Label:
    found: list[Label] = [label for label in _LABELS if label in row]
    if len(found) > 1:
        raise InputFileError(f"{where}: has both 'reference' and 'preference'; leave one of the two out")
    if not found:
        raise InputFileError(f"{where}: field 'reference' is missing, and 'preference' too; one of the two is needed")
    require_fields(row, where, {found[0]: _LABELS[found[0]]})
    if found[0] == "preference":
        for name, number in row["preference"].items():
            is_number = isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= _LARGEST
            if number is not None and not is_number:
                shown = number if isinstance(number, float) else type_name(number)
                raise InputFileError(f"{where}: the preference of {name!r} must be a number or null, found {shown}")
    return found[0]


def _outputs_of(row: JsonRow, where: str) -> dict[str, str]:
    outputs = {name: text for name, text in row["outputs"].items() if text is not None}
    for name, text in outputs.items():
        if not isinstance(text, str):
            raise InputFileError(f"{where}: the output of {name!r} must be a string")
    return outputs
