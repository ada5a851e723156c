"""The first replies of a kind in a step: where none was of use, the run stops, and pays for no more of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Collection
from typing import TypeVar

from ensemble_instruct.concurrency import closing
from ensemble_instruct.errors import RunError
from ensemble_instruct.models.model import Model
from ensemble_instruct.records import Kind, Profile, Rejected, Step

Record = TypeVar("Record")
LOOKED_AT = 20
"""Replies of a kind that are the first ones."""
_OF_USE = frozenset({"", "not_novel", "duplicate", "target_reached"})
"""Reasons of what was kept, or would have been if nothing like it had been there: the model can do its task."""
_NO_REPLY = frozenset(
    {"content_filter", "prompt_too_long", "bad_request", "server_error", "no_scripted_reply", "secret_in_reply"}
)
"""Reasons of a request that failed."""
ENDED_BY_LIMIT = frozenset({"thought_only", "cut_off"})
"""Reasons of replies that the token limit ended too early."""
_TASKS = {
    "instructions": "continue a numbered list of tasks",
    "instances": "write `input:` and `output:` as its examples do",
}
"""What the model of a step is to do."""
_LONGEST_SHOWN = 120
"""Characters of the reply in the message."""


class FirstReplies:
    """Counts the replies of one kind in a step, in the order in which they are folded, never as they arrive."""

    def __init__(self, step: Step, kind: Kind, model: Model, profile: Profile) -> None:
        self._step, self._kind, self._model = step, kind, model
        self._is_settled = profile == "published"  # the original asks on
        self._seen = 0
        self._reasons: Counter[str] = Counter()
        self._replies: dict[str, str] = {}
        """By reason the first reply of which something was dropped for it."""

    def note(self, reply: str, reasons: Collection[str]) -> None:
        """The next reply, and for each text in it why it was dropped, the empty string where it was kept.

        Raises `RunError` at the last of the first ones if not one text of any was of use.
        """
        if self._is_settled:
            return
        if _OF_USE.intersection(reasons):
            self._is_settled = True
            return
        for reason in reasons or ["empty"]:
            self._reasons[reason] += 1
            self._replies.setdefault(reason, reply)
        self._seen += 1
        if self._seen == LOOKED_AT:
            raise RunError(self._message())

    def _message(self) -> str:
        name = self._model.name
        most, _ = self._reasons.most_common(1)[0]
        dropped = ", ".join(f"{count} {reason}" for reason, count in self._reasons.most_common(3))
        return (
            f"step {self._step}: none of the first {LOOKED_AT} replies of {name} for {self._kind} was of use; one of "
            f"them: {shown(self._replies[most])}; dropped most: {dropped}; "
            f"{what_to_try(self._step, name, self._model.section.endpoint, most)}; what was answered is kept"
        )


def what_to_try(step: Step, model: str, endpoint: str, reason: str) -> str:
    """What may help where the replies of a model, or of the voters, are dropped for a reason."""
    if reason in _NO_REPLY:
        return "its requests fail: mend that, then run again with --retry-failed, or to another place"
    if reason in ENDED_BY_LIMIT:
        return f"raise {step}.sampling.max_tokens, so that it comes to its end"
    if endpoint == "completions":
        return (
            f"if {model} is a chat model, set models.{model}.endpoint: chat; a base model should {_TASKS[step]}: "
            f"else choose another one"
        )
    return f"if {model} is a base model, set models.{model}.endpoint: completions; else choose a larger chat model"


async def noting_drops(
    records: AsyncIterable[Record | Rejected], first: FirstReplies
) -> AsyncGenerator[Record | Rejected, None]:
    """The records of step 2 as they come; each drop, of which step 3 will see nothing, is noted as a reply."""
    async with closing(records) as source:
        async for record in source:
            yield record
            if isinstance(record, Rejected):
                first.note(record.detail or record.text, [record.reason])


def shown(reply: str) -> str:
    """A reply in a line of a message: quoted, its beginning alone, without what a terminal would act on."""
    begin = reply[: 10 * _LONGEST_SHOWN]
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in begin).split())
    return repr(f"{text[:_LONGEST_SHOWN]}…" if len(text) > _LONGEST_SHOWN or len(begin) < len(reply) else text)
