"""What of a chat model's answer is not the answer: a label, a "Sure! Here it is:", an offer of more help, a fence.

    framing               what the model says before and after the answer
    wrapping              a label, a fence or a tag around it
    small_talk            paragraphs that only announce or offer something
    small_talk_phrases    how models say so, by language
    asked_for             what the task asks for, which stays
    fences                which lines open and close code
    cut                   what is left, and what was taken away

Public: `CleanAnswer`, `clean_answer`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ensemble_instruct.replies.answers.cut import Cut
from ensemble_instruct.replies.answers.framing import without_closing, without_opening
from ensemble_instruct.replies.answers.wrapping import without_fence, without_label, without_tag

_MOST_PARTS = 12
"""Parts that are taken away of one answer at most."""
_LOOKED_AT = 4000
"""Characters at each end of a task that tell what it asks for: a long input lies between them."""


class CleanAnswer(NamedTuple):
    """An answer without what is not part of it."""

    text: str
    removed: tuple[str, ...]
    """The texts that were taken away, in the order of the reply; empty where it is as it came."""


def clean_answer(text: str, task: str) -> CleanAnswer:
    """An answer of a chat model without its label, what only announces it, an offer of more help, and a bare fence.

    `task` is instruction and input as one text: what it asks for stays. The answer itself is not changed, nothing is
    taken away where nothing would be left, and a text that holds none of these comes back as it is.
    """
    if len(task) > 2 * _LOOKED_AT:
        task = f"{task[:_LOOKED_AT]}\n{task[-_LOOKED_AT:]}"
    left = text.strip()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    for _ in range(_MOST_PARTS):
        cut = next((cut for cut in _cuts(left, task, is_framed=bool(before)) if cut and cut.text), None)
        if cut is None:
            break
        left, before, after = cut.text, before + cut.before, cut.after + after
    return CleanAnswer(left, before + after) if before or after else CleanAnswer(text, ())


def _cuts(text: str, task: str, *, is_framed: bool) -> Iterator[Cut | None]:
    yield without_opening(text, task)
    yield without_closing(text, task, is_framed=is_framed)
    yield without_label(text, task)
    yield without_fence(text, task)
    yield without_tag(text, task)
