"""What the report says of the records of a run: each table is read once, and texts are looked at in samples.

A sample is every n-th record of each kind, so that the same run gives the same numbers.
"""

from __future__ import annotations

import json
import re
import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import add
from typing import Any
from zlib import crc32

from ensemble_instruct.agreement.selection import Selection, ballots_of, voter_names
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.quality.filters import TOXIC
from ensemble_instruct.quality.personal_data import PERSONAL_DATA
from ensemble_instruct.records import INSTANCE_VOTER, KINDS, STEPS, Answered, Instance, Kind, Step
from ensemble_instruct.report.histograms import Series, ShownText, series, shortened, unit_edges, word_edges, words_in
from ensemble_instruct.report.matrix import AgreementSums, MeanMatrix
from ensemble_instruct.store.reading import MergedRun, read_candidates
from ensemble_instruct.store.rows import parsed_row

SAMPLE = 2500
"""Records of each kind whose texts are looked at."""
_COMPARED = 1000
"""Rows of each kind of which the agreement of each two outputs is computed."""
UNIT_EDGES = unit_edges(20)
_SAMPLES = 3
"""Texts of each reason that are shown."""
_SAMPLE_TEXT = (320, 6)
"""Characters and lines of something dropped that are shown."""
EXAMPLE_TEXT = (600, 12)
"""Characters and lines of a part of an example that are shown."""
_LOOKED_AT = (0.95, 0.5, 0.05)
"""Where the examples to look at are among all of their kind, ordered by confidence."""
WITHHELD = (PERSONAL_DATA, TOXIC)
"""Reasons whose texts are not for a page that is passed on."""
_CONFIDENCE = re.compile(r"(?:confidence |agreement )?(\d\.\d+)(?: <|, not in|$)")
"""How the detail of a drop of step 5 begins where it says the row's confidence; `agreement` in older runs."""
PARTS = ("instruction", "input", "output")
"""Of a row, those whose words are counted."""


@dataclass(frozen=True, slots=True, order=True)
class Sample:
    """Something that was dropped."""

    text: ShownText
    detail: ShownText


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a step dropped something, how often, and some of it."""

    step: Step
    reason: str
    counts: Mapping[str, int]
    """By kind."""
    samples: tuple[Sample, ...]
    """Empty where their texts are withheld."""

    @property
    def count(self) -> int:
        """All kinds together."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Win:
    """How often the output of an example was the text of a voter."""

    voter: str
    answered: int
    """Examples for which it gave an output."""
    won: int
    alone: int
    """Of these, how often no other voter gave the same text."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a part of the rows, of all that came to step 5 and of those that it kept."""

    part: str
    edges: tuple[float, ...]
    before: Series
    after: Series


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """An example to look at."""

    kind: Kind
    agreement: float
    confidence: float
    instruction: ShownText
    input: ShownText
    output: ShownText
    winners: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedPart:
    """What a merged run has of one of the runs that it was merged from."""

    run: str
    instructions: int
    instances: int
    examples: int
    dropped: Mapping[str, int]
    """What an earlier one of the runs had already, by reason."""


@dataclass(slots=True, kw_only=True)
class Examples:
    """What one pass over the examples gives."""

    answered: Counter[str] = field(default_factory=Counter)
    won: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)
    agreement: list[float] = field(default_factory=list)
    confidence: dict[Kind, array[float]] = field(default_factory=lambda: {kind: array("d") for kind in KINDS})
    words: dict[str, array[int]] = field(default_factory=lambda: {part: array("l") for part in PARTS})
    instructions: list[str] = field(default_factory=list)
    """Of the sample."""
    _matrices: dict[tuple[str, ...], tuple[list[float], int]] = field(default_factory=dict)

    def add(self, row: dict[str, Any], *, is_sampled: bool) -> None:
        """Count an example."""
        voters = tuple(candidate["voter"] for candidate in row["candidates"])
        winners = row["winners"]
        self.answered.update(voters)
        self.won.update(winners)
        if len(winners) == 1:
            self.alone[winners[0]] += 1
        self.agreement.append(row["agreement"])
        self.confidence[row["kind"]].append(row["confidence"])
        if matrix := row.get("matrix"):
            flat = chain.from_iterable(matrix)
            sums, rows = self._matrices.get(voters) or ([0.0] * len(voters) ** 2, 0)
            self._matrices[voters] = list(map(add, sums, flat)), rows + 1
        if is_sampled:
            self.instructions.append(row["instruction"])
            for part in PARTS:
                if part != "input" or row["kind"] == "input_output":
                    self.words[part].append(words_in(row[part]))

    def wins(self, voters: Sequence[str]) -> tuple[Win, ...]:
        """By voter, the most frequent winner first."""
        counted = [Win(name, self.answered[name], self.won[name], self.alone[name]) for name in voters]
        return tuple(sorted(counted, key=lambda win: (-win.won, win.voter)))

    def matrix(self, voters: Sequence[str]) -> MeanMatrix | None:
        """The agreement of voters over all examples."""
        sums = AgreementSums(voters)
        for names, (flat, rows) in self._matrices.items():
            sums.add(names, flat, rows)
        return sums.matrix()


def read_selected(connection: sqlite3.Connection, counts: Mapping[Kind, int]) -> Examples:
    """All examples once; `counts` says how many there are of each kind."""
    examples = Examples()
    strides = {kind: _stride(counts[kind], SAMPLE) for kind in KINDS}
    for kind, position, text in connection.execute("SELECT kind, position, row FROM example ORDER BY kind, position"):
        examples.add(parsed_row(text), is_sampled=position % strides[kind] == 0)
    return examples


def read_merged(connection: sqlite3.Connection, runs: Sequence[MergedRun]) -> tuple[MergedPart, ...]:
    """What a run has of each of the runs that it was merged from."""
    if not runs:
        return ()
    sql = "SELECT run, COUNT(*) FROM example JOIN origin ON record = instance GROUP BY run"
    examples: Counter[str] = Counter()
    for origin, count in connection.execute(sql):  # one that was merged itself names its own: `both/first`
        examples[next((run.name for run in runs if f"{origin}/".startswith(f"{run.name}/")), "")] += count
    return tuple(
        MergedPart(
            run=run.name,
            instructions=run.instructions,
            instances=run.instances,
            examples=examples[run.name],
            dropped=run.dropped,
        )
        for run in runs
    )


def sample_rows(connection: sqlite3.Connection, examples: Examples) -> tuple[SampleRow, ...]:
    """For each kind an example with high, one with middling and one with low confidence."""
    samples: list[SampleRow] = []
    for kind in KINDS:
        confidence = examples.confidence[kind]
        ranked = sorted(range(len(confidence)), key=lambda place: (confidence[place], place))
        places = dict.fromkeys(ranked[int(share * (len(ranked) - 1))] for share in _LOOKED_AT if ranked)
        for place in places:
            (text,) = connection.execute(
                "SELECT row FROM example WHERE kind = ? AND position = ?", (kind, place)
            ).fetchone()
            row = parsed_row(text)
            texts = [shortened(row[part], *EXAMPLE_TEXT) for part in PARTS]
            samples.append(
                SampleRow(
                    kind=kind,
                    agreement=row["agreement"],
                    confidence=row["confidence"],
                    instruction=texts[0],
                    input=texts[1],
                    output=texts[2],
                    winners=tuple(row["winners"]),
                )
            )
    return tuple(samples)


@dataclass(frozen=True, slots=True)
class Drops:
    """What one pass over the drops gives."""

    reasons: tuple[Reason, ...]
    confidence: dict[Kind, array[float]]
    """Of the rows that step 5 dropped, as far as it says."""


def read_drops(connection: sqlite3.Connection) -> Drops:
    """All drops once. The samples of a reason depend on their texts alone, not on the order in which they came."""
    counts: dict[tuple[Step, str], Counter[str]] = {}
    samples: dict[tuple[Step, str], list[tuple[int, Sample]]] = {}
    confidence: dict[Kind, array[float]] = {kind: array("d") for kind in KINDS}
    for step, kind, reason, text, detail in connection.execute("SELECT step, kind, reason, text, detail FROM rejected"):
        counts.setdefault((step, reason), Counter())[kind or ""] += 1
        best = samples.setdefault((step, reason), [])
        rank = crc32(text[: _SAMPLE_TEXT[0]].encode("utf-8", "replace"))  # bottom-k sample: the lowest hashes stay
        if reason not in WITHHELD and (len(best) < _SAMPLES or rank < best[-1][0]):
            best.append((rank, Sample(shortened(text, *_SAMPLE_TEXT), shortened(detail, *_SAMPLE_TEXT))))
            best[:] = sorted(set(best))[:_SAMPLES]
        if step == "ensemble" and kind in confidence and (match := _CONFIDENCE.match(detail)):
            confidence[kind].append(float(match[1]))
    order = sorted(counts, key=lambda item: (STEPS.index(item[0]), -counts[item].total(), item[1]))
    return Drops(
        tuple(
            Reason(
                step,
                reason,
                dict(sorted(counts[step, reason].items())),
                tuple(sample for _, sample in samples[step, reason]),
            )
            for step, reason in order
        ),
        confidence,
    )


@dataclass(frozen=True, slots=True)
class Instances:
    """What a sample of the instances gives, before step 5 chose among them."""

    words: dict[str, array[int]]
    matrix: MeanMatrix | None


def read_instances(
    connection: sqlite3.Connection, counts: Mapping[Kind, int], voters: Sequence[str], selection: Selection
) -> Instances:
    """A sample of the instances with all outputs."""
    words: dict[str, array[int]] = {part: array("l") for part in PARTS}
    sums = AgreementSums(voters)
    for kind in KINDS:
        rows = list(_sampled(connection, kind, counts[kind], voters[1:]))
        for instance, candidates in rows:
            words["instruction"].append(words_in(instance.instruction))
            if kind == "input_output":
                words["input"].append(words_in(instance.input))
            words["output"].extend(words_in(text) for text in (instance.output, *(one.text for one in candidates)))
        compared = [row for row in rows[:: _stride(len(rows), _COMPARED)] if row[1]]
        for row, ballot in zip(compared, ballots_of(compared, selection.provisional), strict=True):
            sums.add(voter_names(row), list(chain.from_iterable(ballot.matrix)), 1)
    return Instances(words, sums.matrix())


def _sampled(connection: sqlite3.Connection, kind: Kind, count: int, voters: Sequence[str]) -> Iterator[Answered]:
    for instance_id, instruction, task_input, output in _every(
        connection, "instance", "id, instruction, input, output", kind, count
    ):
        by_voter = {candidate.voter: candidate for candidate in read_candidates(connection, instance_id)}
        candidates = tuple(by_voter[voter] for voter in voters if voter in by_voter)
        instance = Instance(kind=kind, instruction=instruction, input=task_input, output=output)
        yield Answered(instance, candidates)


def _every(
    connection: sqlite3.Connection, table: str, columns: str, kind: Kind, count: int
) -> Iterator[tuple[Any, ...]]:
    """A sample of the records of a kind, which are numbered from 0 on."""
    sql = f"SELECT {columns} FROM {table} WHERE kind = ? AND position = ?"  # noqa: S608 - constant names
    for position in range(0, count, _stride(count, SAMPLE)):
        yield from connection.execute(sql, (kind, position))


def compare_words(before: Mapping[str, array[int]], after: Mapping[str, array[int]]) -> tuple[Words, ...]:
    """Words of each part that there is."""
    parts = []
    for part in PARTS:
        if before[part] or after[part]:
            edges = word_edges([*before[part], *after[part]])
            parts.append(Words(part, edges, series(before[part], edges), series(after[part], edges)))
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class Nearest:
    """ROUGE-L F1 of instructions to the nearest seed, and to the nearest of all that was there before them."""

    edges: tuple[float, ...]
    seed: Series
    pool: Series
    instructions: int
    """Of how many this is a sample."""


def read_nearest(
    connection: sqlite3.Connection, counts: Mapping[Kind, int], seeds: Mapping[Kind, NoveltyPool]
) -> Nearest | None:
    """Of a sample of the instructions; None without instructions or seeds."""
    to_seed, to_pool = array("d"), array("d")
    for kind in KINDS:
        for text, similar in _every(connection, "instruction", "text, most_similar", kind, counts[kind]):
            if seeds.get(kind):
                to_seed.append(seeds[kind].nearest(text)[0])
            if nearest := json.loads(similar):
                to_pool.append(nearest[0][1])
    if not to_seed and not to_pool:
        return None
    edges = unit_edges(20)
    seed, pool = (series(scores, edges, upper=True) for scores in (to_seed, to_pool))  # what equals the threshold stays
    return Nearest(edges, seed, pool, sum(counts.values()))


def _stride(count: int, most: int) -> int:
    return max(1, -(-count // most))


def voters_in(examples: Examples, named: Sequence[str]) -> tuple[str, ...]:
    """The instance's own voter, those that the config names, and any other that voted."""
    return tuple(dict.fromkeys([INSTANCE_VOTER, *named, *sorted(examples.answered)]))
