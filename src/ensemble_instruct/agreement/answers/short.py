"""When two outputs of a few words are the same answer to a task, whatever words of the task stand around it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ensemble_instruct.agreement.answers.forms import answer_form, is_same_answer
from ensemble_instruct.agreement.content import function_words

FEW_WORDS = 5
"""Words up to which an output is short."""
_LONGEST = 1000
"""Characters beyond which an output is no short answer; it is the same only as a whole."""
_TURNING = """
    yes no not nor cannot don never none only before after more most less least few over under above below off on in out
    up down with without for against from to until since by near at am pm and or all any each
"""
_MEANT = frozenset(_TURNING.split())
"""Small words that an answer can turn on, also where the task has them."""
_DULL = frozenset(
    "a an the is are was were be been being it its this that these those there has have had do does did will".split()  # noqa: SIM905
)
"""Words without which an answer is the same."""
_SAY_NOTHING = frozenset({"a", "an", "the", "it", "its", "this"})
"""Words that stand before an answer."""
_OF_ORDER = re.compile(
    r"\b(?:sort|rank|arrang|alphabet|chronolog|ascend|descend|revers|ordered)|\border (?:of|from|by|the|these)\b",
    re.IGNORECASE,
)
"""What a task says whose answer is a list in an order."""
_BETWEEN_ITEMS = re.compile(
    r"\s*(?:\n|[,;\u3001\uff0c\uff1b\u060c]|\s\|\s)\s*(?:(?:and|or|&)\s+)?|\s+(?:and|&|und|et|y|\u0438)\s+"
)
"""What stands between the items of a list."""
_MARK = re.compile(r"^\s*(?:[-*+\u2022\u2013\u2014]|\(?\d{1,2}[.)])\s+")
"""What an item begins with that is not a part of it."""
_SIGNED = re.compile(r"[-+\u2013\u2014]\s*[\d.,]+")
_BETWEEN_WORDS = re.compile(r"[\s,;:|/\u3001\uff0c\uff1a\uff1b\u060c]+")
_NO_SPACES = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts that have no spaces between words."""
_ANSWER_IS = re.compile(
    r"^(?:the )?(?:(?:correct|final|right) )?answer(?: is(?! not\b)|:)\s+(?=\S)"
    r"|^(?:(?:die|la|a) )?(?:antwort|r\u00e9ponse|respuesta|risposta|resposta|\u043e\u0442\u0432\u0435\u0442)"
    r"(?: (?:ist|est|es|\u00e8|\u00e9)|:)\s+(?=\S)|^\u7b54(?:\u6848)?[\u662f:\uff1a]\s*(?=\S)",
    re.IGNORECASE,
)
"""What says of the rest that it is the answer."""
_BY_ITSELF = re.compile(
    r"(yes|no|true|false|ja|nein|oui|non|s\u00ed|\u0434\u0430|\u043d\u0435\u0442)\s*[,.;:!\n\u2013\u2014]|\(?([a-h])[).:]\s",
    re.IGNORECASE,
)
"""A word or the letter of an option that is the answer by itself, where what follows explains it."""
_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_COUNTED = {word: str(number) for number, word in enumerate(_NUMBERS.split())}
"""Numbers as words."""
_ARE = frozenset({"is", "are", "was", "were"})


class ShortAnswers:
    """The outputs of one task as short answers."""

    def __init__(self, task: str, outputs: Sequence[str]) -> None:
        self._task = f" {' '.join(filter(None, map(_bare, _BETWEEN_WORDS.split(answer_form(task)))))} "
        self._is_ordered = bool(_OF_ORDER.search(task))
        self._texts = [_ANSWER_IS.sub("", _without_marks(text)) for text in outputs]
        self._words = [_words(text) if len(text) <= _LONGEST else [] for text in self._texts]
        self._items = [self._list(text) if len(text) <= _LONGEST else () for text in self._texts]

    def same(self, i: int, j: int) -> bool:
        """Whether two outputs are the same answer.

        They are if they differ only in how they are written; as lists, if the items do, in the same order where the
        task asks for one or all of them stand in it; and if one says all that the other does, and beyond that only
        function words and words of the task: to a task about a capital "The capital is Oslo" is "Oslo". What follows
        "Yes," does not count.
        """
        if is_same_answer(self._texts[i], self._texts[j]) or (self._items[i] and self._items[i] == self._items[j]):
            return True
        if any(tells(*pair) for tells in (self._is_begun_by, self._is_said_by) for pair in ((i, j), (j, i))):
            return True
        return self._is_same_without(_is_function_word, i, j) or self._is_same_without(self._is_of_task, i, j)

    def _is_begun_by(self, i: int, j: int) -> bool:
        """Whether an output is the word with which another begins, that is an answer by itself."""
        begun = _BY_ITSELF.match(self._texts[j].strip())
        return begun is not None and answer_form(self._texts[i]) == (begun[1] or begun[2]).lower()

    def _is_said_by(self, i: int, j: int) -> bool:
        """Whether an output is what another says of something in the task: "The sentiment is …"."""
        words = self._words[j]
        at = next((place for place, word in enumerate(words) if word in _ARE), 0)
        return at > 0 and all(map(self._is_subject, words[:at])) and words[at + 1 :] == self._words[i] != []

    def _is_same_without(self, says_little: Callable[[str], bool], i: int, j: int) -> bool:
        """Whether two outputs have the same words but for some, of which one has all that the other has."""
        one, other = ([word for word in words if not says_little(word)] for words in (self._words[i], self._words[j]))
        if not one or one != other:
            return False
        little = [[word for word in words if says_little(word)] for words in (self._words[i], self._words[j])]
        return all(
            _is_nested([w for w in little[0] if is_kind(w)], [w for w in little[1] if is_kind(w)])
            for is_kind in (_is_function_word, lambda word: not _is_function_word(word))
        )

    def _is_of_task(self, word: str) -> bool:
        return word == "=" or _is_function_word(word) or (word not in _MEANT and f" {word} " in self._task)

    def _is_subject(self, word: str) -> bool:
        """Whether a word can stand before what is said of something in the task."""
        return self._is_of_task(word) or word in function_words() or f" {word} " in self._task

    def _list(self, text: str) -> tuple[str, ...]:
        """The items of a list, sorted unless their order counts; empty where there are not two."""
        plain = text.strip("[](){}")
        items = [form for item in _BETWEEN_ITEMS.split(plain) if (form := answer_form(item))]
        if len(items) < 2:
            return ()
        counted = tuple(_COUNTED.get(item, item) for item in items)
        return counted if self._is_ordered or all(map(self._has, items)) else tuple(sorted(counted))

    def _has(self, item: str) -> bool:
        """Whether an item stands in the task."""
        if _NO_SPACES.search(item):
            return item in self._task
        return f" {' '.join(filter(None, map(_bare, item.split())))} " in self._task


def _is_function_word(word: str) -> bool:
    return word in _DULL


def _is_nested(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one of two sequences has all of the other, in its order."""
    short, long = sorted((one, other), key=len)
    rest = iter(long)
    return all(word in rest for word in short)


def _without_marks(text: str) -> str:
    """A text without what its lines begin with as items of a list; the sign of a number alone stays."""
    if _SIGNED.fullmatch(plain := text.strip()):
        return plain
    # one blank between words, so that no pattern looks at a run of them again and again
    lines = (" ".join(line.split()) for line in plain.splitlines())
    return "\n".join(_MARK.sub("", line) for line in lines if line)


def _words(text: str) -> list[str]:
    """The words of a text as an answer has them: numbers whole, with their sign, as digits."""
    words = [word for part in answer_form(text).split() if (word := _bare(part))]
    words = [word for word in words if word not in _SAY_NOTHING] or words
    # "one" is a number where it comes first: "the red one" is no count
    return [_COUNTED.get(word, word) if word != "one" or place == 0 else word for place, word in enumerate(words)]


def _bare(part: str) -> str:
    """A word without marks around it, or marks that stand alone."""
    return part.strip(".,;:!?()[]{}*_`") if any(map(str.isalnum, part)) else part.strip("*_")
