"""The ballot of a row as its task asks for it, for the strategy `vouched`.

Two outputs agree if they are the same answer where the outputs are short, if their results are the same where they end
in one, and else by how alike the texts are. The ballot has the content of each output too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from ensemble_instruct.agreement.answers import source_of
from ensemble_instruct.agreement.answers.results import is_same_result, results_of
from ensemble_instruct.agreement.answers.short import FEW_WORDS, ShortAnswers
from ensemble_instruct.agreement.ballots import Ballot, Matrix, ballot_of_tokens, pairwise
from ensemble_instruct.agreement.content import Content, content_of, content_words, function_words, length_of
from ensemble_instruct.invisible import is_blank
from ensemble_instruct.records import Instance
from ensemble_instruct.rouge import word_tokens

_SHORT_WITH_TASK, _FEW = 12, 2
"""Words up to which an output is short too, if no more than the second number of them are not in the task."""
_RESULT = 0.8
"""What the result of a long output weighs, against the reasoning before it."""


def task_ballot(
    instance: Instance,
    outputs: Sequence[str],
    matrix: Matrix | None = None,
    *,
    with_results: bool = True,
    heard: Sequence[int] = (),
) -> Ballot:
    """The ballot of the outputs for an instance; `with_results`: whether the results of long outputs count.

    A `matrix` is that of another utility, and stands as it is. `heard`: see `as_task_asks`.
    """
    plain = ballot_with_contents(instance, outputs, matrix)
    return plain if matrix is not None else as_task_asks(plain, instance, with_results=with_results, heard=heard)


def ballot_with_contents(instance: Instance, outputs: Sequence[str], matrix: Matrix | None = None) -> Ballot:
    """The same as `ballot` gives, and what each output says."""
    tokens = [word_tokens(text, stem=True) for text in outputs]
    contents = tuple(content_of(own, is_ascii=text.isascii()) for text, own in zip(outputs, tokens, strict=True))
    task = content_words(word_tokens(_text(instance), stem=True))
    source = source_of(instance.instruction, instance.input)
    return ballot_of_tokens(outputs, tokens, source, matrix, contents=contents, task=task)


def as_task_asks(ballot: Ballot, instance: Instance, *, with_results: bool = True, heard: Sequence[int] = ()) -> Ballot:
    """A ballot by how alike texts are, with the agreement that is asked for where outputs are short or have results.

    Which it is, only the outputs in the places `heard` tell, or all: a voter that is set aside has no say in it.
    """
    outputs, alike = ballot.outputs, ballot.matrix
    heard = heard or range(len(outputs))
    filled = [ballot.words[place] for place in heard if ballot.counts[place] or not is_blank(outputs[place])]
    if not filled:
        return ballot
    results = results_of(outputs, heard) if with_results and max(filled) > FEW_WORDS else ()

    def by_result(i: int, j: int) -> float:
        if not (results[i] and results[j]):
            return alike[i][j]
        return _RESULT * is_same_result(results[i], results[j]) + (1 - _RESULT) * alike[i][j]

    if results:
        return replace(ballot, matrix=pairwise(len(outputs), by_result), basis="result")
    if median(filled) > 2 * _SHORT_WITH_TASK:  # at a glance: no word counts less than half
        return ballot
    if not _is_short([ballot.contents[place] for place in heard if not is_blank(outputs[place])], ballot.task):
        return ballot
    short = ShortAnswers(_text(instance), outputs)
    same = pairwise(len(outputs), lambda i, j: float(short.same(i, j)))
    return replace(ballot, matrix=same, basis="answer", alike=alike)


def _is_short(contents: Sequence[Content], task: frozenset[str]) -> bool:
    """Whether outputs are a few words long, or not much longer and nearly all out of the task."""
    lengths = [length_of(content.tokens) for content in contents]
    if (usual := median(lengths)) > _SHORT_WITH_TASK:
        return False
    if usual <= FEW_WORDS:
        return True
    dull = task | function_words()
    return median(length_of([token for token in content.tokens if token not in dull]) for content in contents) <= _FEW


def _text(instance: Instance) -> str:
    return f"{instance.instruction}\n{instance.input}"
