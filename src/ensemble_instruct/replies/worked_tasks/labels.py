# ruff: noqa: RUF001 - letters of other scripts
"""The labels of worked examples: where a text says `Input:`, `**Output:**` or `### Instruction`, and which count."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from ensemble_instruct.records import END_MARKER
from ensemble_instruct.replies.worked_tasks.fences import line_start, outside_fences

Name = Literal["instruction", "input", "output", "answer"]
"""What a label is for; `answer` is an output where there is no label of one."""

_ENGLISH: Mapping[str, Name] = {
    "instruction": "instruction", "input": "input", "output": "output", "answer": "answer", "response": "answer"
}  # fmt: skip
_OTHERS: Mapping[str, Name] = {
    **dict.fromkeys(
        ("anweisung", "instrucción", "instrução", "istruzione", "инструкция", "指令", "指示", "지시"), "instruction"
    ),
    **dict.fromkeys(
        (
            "eingabe", "entrée", "entrada", "invoer", "wejście", "ввод", "входные данные", "输入", "輸入", "入力",
            "입력", "المدخل", "المدخلات", "الإدخال", "ورودی", "קלט", "girdi", "вхід", "vstup", "đầu vào",
            "masukan", "इनपुट",
        ),
        "input",
    ),
    **dict.fromkeys(
        (
            "ausgabe", "sortie", "salida", "saída", "uitvoer", "wyjście", "вывод", "выходные данные", "输出", "輸出",
            "出力", "출력", "المخرج", "المخرجات", "الإخراج", "خروجی", "פלט", "çıktı", "вихід", "výstup", "đầu ra",
            "keluaran", "आउटपुट",
        ),
        "output",
    ),
}  # fmt: skip
"""What labels are called where a text has no English one."""
_SPACE = "[ \\t\u00a0\u202f\u3000]{0,4}"
"""Before a colon; bounded, so that a line of spaces is read in linear time."""
_SIGN = "(?:[\u2190-\u21ff\u2300-\u2bff\U0001f000-\U0001faff\ufe0f\u200d]{1,6}[ \\t]*)?"
"""Emoji before a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One label at the start of a line."""

    name: Name
    start: int
    end: int
    """Where the text begins that it stands for."""
    number: str
    indent: int
    column: int
    """How far it is set in, without and with the marker of a list before it."""
    style: tuple[bool, bool, bool]
    """Whether it is an item of a list, a heading, emphasised."""
    is_lower: bool
    open_mark: str
    """The mark of emphasis that it opens and that is closed somewhere behind it."""

    @property
    def written(self) -> tuple[bool, ...]:
        """How it is written."""
        return (*self.style, self.is_lower)


def find_labels(text: str, own: Mapping[str, Name] | None = None) -> tuple[list[Label], list[int]]:
    """(the labels that count, where the code fences end that stand around examples), in time linear in the text.

    None counts inside a line, in code, or set in further than the first one. The input of an example goes on to
    the first output that is labelled as the input is, if there is one; after an output, labels count that are written
    as those before, and those of an instruction. `own`: labels that a user has chosen, which go before all others.
    """
    labels = next((found for names in (own or {}, _ENGLISH, _OTHERS) if (found := list(_labels(text, names)))), [])
    tasks = {at for at, one in enumerate(labels) if one.name == "instruction" and one.written == labels[0].written}
    outside, fences = outside_fences(text, [(label.start, label.end) for label in labels], tasks)
    labels = [labels[at] for at in outside]
    if labels:
        first = next((label for label in labels if label.name != "answer"), labels[0])
        labels = [one for one in labels if one.indent <= (first.indent if one.style[0] else first.column)]
    return list(_Counting(text, _merged(text, labels)).counted()), fences


def _labels(text: str, names: Mapping[str, Name]) -> Iterator[Label]:
    """All labels at the start of a line: with a colon, or a heading or emphasised on a line of its own."""
    if not names:
        return
    any_name, pattern = _patterns("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    for name in any_name.finditer(text):
        named = names.get(name[0].lower())  # where case does not count, a dotless i is an i, too
        start = line_start(text, name.start())
        found = pattern.match(text, start) if named and start >= 0 else None
        if not named or not found or found.start("name") != name.start():
            continue
        if found["colon"] or found["heading"] or found["closed"]:
            yield _label(found, named)


@cache
def _patterns(names: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """(a name, a label from the start of its line)."""
    label = (
        r"(?P<indent>[ \t\u200b\u200e\u200f\u3000\ufeff]*)"
        r"(?P<item>[-+\u2022\u2013][ \t]*|\*[ \t]+|\(?\d{1,3}[.)][ \t]*)?"
        r"(?P<heading>#{1,6}[ \t]*)?"
        rf"{_SIGN}(?P<mark>\*{{1,3}}|_{{1,3}}|`)?{_SIGN}(?:\d{{1,3}}[.)][ \t]*)?"
        r"(?:(?:example|sample|expected)(?:[ \t]\d{1,3})?[ \t]+)?"
        rf"(?P<name>{names})(?:[ \t]?#?(?P<number>\d{{1,3}}))?(?(mark)(?P<closed>(?P=mark))?)"
        rf"(?:(?P<colon>{_SPACE}[:\uff1a])"
        r"(?(closed)|(?(mark)(?P<closed_later>(?P=mark)|[ \t](?P=mark)(?=\s|$))?))"
        rf"|{_SPACE}$)"
    )
    return re.compile(names, re.IGNORECASE), re.compile(label, re.MULTILINE | re.IGNORECASE)


def _label(found: re.Match[str], name: Name) -> Label:
    mark = found["mark"] or ""
    return Label(
        name=name,
        start=found.start(),
        end=found.end(),
        number=found["number"] or "",
        indent=len(found["indent"]),
        column=len(found["indent"]) + len(found["item"] or ""),
        style=(found["item"] is not None, found["heading"] is not None, bool(mark)),
        is_lower=found["name"].islower(),
        open_mark="" if found["closed"] or found["closed_later"] else mark,
    )


def _merged(text: str, labels: Sequence[Label]) -> list[Label]:
    """With one label for two where one only stands above the other: `### Input`, then `**Input:**` and the text."""
    merged: list[Label] = []
    for label in labels:
        is_again = bool(merged) and _stands_above(text, merged[-1], label)
        merged.append(replace(label, start=merged.pop().start) if is_again else label)
    return merged


def _stands_above(text: str, label: Label, following: Label) -> bool:
    is_same = label.name == following.name != "instruction" and label.number in ("", following.number)
    return is_same and not text[label.end : following.start].strip()


class _Counting:
    """Tells the labels that count from those that are part of a text, in their order."""

    def __init__(self, text: str, labels: Sequence[Label]) -> None:
        self._text = text
        self._labels = labels
        self._markers = [marker.start() for marker in re.finditer(re.escape(END_MARKER), text)]
        self._alike, self._output = _next_alike(labels), _next_output(labels)
        self._opening: Label | None = None
        """The first input or output of the example that is read."""
        self._has_output = False
        self._certain = 0
        """The labels before this one are part of a text."""

    def counted(self) -> Iterator[Label]:
        """The labels that count."""
        for at, label in enumerate(self._labels):
            if at < self._certain:
                continue
            if label.name == "instruction":
                self._opening, self._has_output = None, False
                yield label
            elif self._counts(at, label):
                yield self._with_label(at) if self._opening is None else label
                self._opening = self._opening or label
                self._has_output = self._has_output or label.name != "input"

    def _counts(self, at: int, label: Label) -> bool:
        if label.name == "answer":
            return self._answers(at, label)
        if self._has_output:
            return self._opening is not None and label.style == self._opening.style
        if label.name == "output":
            return True
        if self._opening is None:
            following = self._alike[at]
            if following is not None and self._labels[following].name == "output":
                self._certain = following
            return True
        return not label.number or self._is_one_of_several(at)

    def _answers(self, at: int, label: Label) -> bool:
        """Whether an `Answer:` is an output: right after an input or first, where no output is labelled.

        An end marker between them ends the example.
        """
        if self._has_output or self._output[at] is not None:
            return False
        if self._opening is None:
            before = self._text[: label.start].strip()
            return at > 0 or not before or (before.endswith((":", "\uff1a")) and "\n" not in before)
        marker = bisect_left(self._markers, self._opening.end)
        is_ended = marker < len(self._markers) and self._markers[marker] < label.start
        return label.number == self._opening.number and not is_ended

    def _is_one_of_several(self, at: int) -> bool:
        """Whether an input has an output of its own: both are numbered. Otherwise several make up one input."""
        output = self._output[at]
        return bool(self._labels[at].number and output is not None and self._labels[output].number)

    def _with_label(self, at: int) -> Label:
        """The label of an input; itself part of the text where `Input 2:` goes on with the same input."""
        label = self._labels[at]
        following = self._labels[at + 1] if at + 1 < len(self._labels) else label
        goes_on = label.number and label.name == following.name == "input" and following.number != label.number
        return replace(label, end=label.start) if goes_on and not self._is_one_of_several(at + 1) else label


def _next_alike(labels: Sequence[Label]) -> list[int | None]:
    """For each label, the next one that is written as it is and is no answer."""
    following: list[int | None] = [None] * len(labels)
    seen: dict[tuple[bool, ...], int] = {}
    for at in reversed(range(len(labels))):
        label = labels[at]
        if label.name != "answer":
            following[at] = seen.get(label.written)
            seen[label.written] = at
    return following


def _next_output(labels: Sequence[Label]) -> list[int | None]:
    """For each label, the next one of an output before the next one of an instruction."""
    following: list[int | None] = [None] * len(labels)
    output: int | None = None
    for at in reversed(range(len(labels))):
        following[at] = output
        if labels[at].name == "output":
            output = at
        elif labels[at].name == "instruction":
            output = None
    return following
