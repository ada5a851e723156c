"""When two outputs of a few words are the same answer to a task, whatever words of the task stand around it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ensemble_instruct.agreement.answers.forms import answer_form, is_same_answer
from ensemble_instruct.agreement.content import function_words

FEW_WORDS = 5
"""Words up to which an output is short."""
_MEANT = frozenset(
    "yes no not nor cannot don never none only before after more most few over under off on up down".split()  # noqa: SIM905
)
"""Function words that an answer can turn on."""
_BETWEEN_ITEMS = re.compile(r"\s*(?:\n|[,;\u3001\uff0c\uff1b\u060c]|\s\|\s)\s*(?:(?:and|or|&)\s+)?|\s+(?:and|&)\s+")
"""What stands between the items of a list."""
_MARK = re.compile(r"^\s*(?:[-*\u2022]|\(?\d{1,2}[.)])\s+")
"""What an item begins with that is not a part of it."""
_COUNTED = dict(
    zip(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
        map(str, range(13)),
        strict=True,
    )
)
"""Numbers as words."""


class ShortAnswers:
    """The outputs of one task as short answers."""

    def __init__(self, task: str, outputs: Sequence[str]) -> None:
        self._task = f" {' '.join(_tokens(task))} "
        self._outputs = outputs
        self._words = [_meant(text) for text in outputs]
        self._beyond = [self._beyond_task(words) for words in self._words]
        self._items = [self._list(text) for text in outputs]

    def same(self, i: int, j: int) -> bool:
        """Whether two outputs are the same answer.

        They are if they differ only in how they are written, or in function words; as lists, if the items do, in the
        same order where all of them stand in the task, which then asks for an order or for a choice; and if what each
        says beyond the words of the task is the same: to a task about a capital "The capital is Oslo" is "Oslo".
        """
        one, other = self._outputs[i], self._outputs[j]
        if is_same_answer(one, other) or (self._words[i] and self._words[i] == self._words[j]):
            return True
        if self._items[i] and self._items[i] == self._items[j]:
            return True
        return bool(self._beyond[i]) and self._beyond[i] == self._beyond[j]

    def _beyond_task(self, meant: Sequence[str]) -> tuple[str, ...]:
        """The words that the task does not have."""
        words = tuple(word for word in meant if f" {word} " not in self._task)
        return (_COUNTED.get(words[0], words[0]),) if len(words) == 1 else words

    def _list(self, text: str) -> tuple[str, ...]:
        """The items of a list; empty where there are not two."""
        lines = "\n".join(_MARK.sub("", line) for line in text.strip().strip("[](){}").splitlines())
        items = tuple(form for item in _BETWEEN_ITEMS.split(lines) if (form := answer_form(item)))
        if len(items) < 2:
            return ()
        is_of_task = all(f" {' '.join(_tokens(item))} " in self._task for item in items)
        return items if is_of_task else tuple(sorted(items))


def _meant(text: str) -> tuple[str, ...]:
    """The words of a text without function words."""
    return tuple(word for word in _tokens(text) if word not in function_words() or word in _MEANT)


def _tokens(text: str) -> list[str]:
    """The words of a text as an answer has them: numbers whole, with their sign."""
    return [word for part in answer_form(text).split() if (word := part.strip(".,;:!?()[]{}*_"))]
