"""What a preview has seen: what was asked, what came, and what was read out of it."""

from __future__ import annotations

from dataclasses import dataclass

from ensemble_instruct.records import Kind, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a step read out of a reply: kept, or dropped for a reason."""

    text: str
    input: str = ""
    """Of an instance."""
    output: str = ""
    """Of an instance."""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, what came of it, and what was read out of that."""

    model: str
    who: str
    """The voter, or the model again."""
    asked: tuple[Message, ...]
    reply: str
    """As it came; empty where the request failed."""
    thought: str
    failure: str
    """Why the request was refused, or the empty text."""
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    read: tuple[Read, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What step 5 made of an instance: its example, or its drop."""

    output: str
    winners: tuple[str, ...] = ()
    agreement: float = 0.0
    confidence: float = 0.0
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    """An instance, what the voters said to it, and what was chosen; None where the preview ended before that."""

    instruction: str
    input: str
    output: str
    votes: tuple[Call, ...]
    chosen: Chosen | None
    reference: str = ""
    """What a good output is, where one of the user's own tasks says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An instruction, the worked example that was asked for it, if one was, and what became of its instances."""

    instruction: str
    worked: Call | None
    instances: tuple[Voted, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSeen:
    """What was seen of one kind of task."""

    kind: Kind
    lists: tuple[Call, ...]
    """The requests of step 1."""
    tasks: tuple[Task, ...]
    target: int
    """How many tasks a whole run would have."""
    unused: tuple[Read, ...] = ()
    """The first of the user's own tasks that cannot be used."""
    unused_count: int = 0
    """How many these are in all."""

    @property
    def kept(self) -> int:
        """How many tasks became an example."""
        return sum(bool(each.chosen and not each.chosen.reason) for task in self.tasks for each in task.instances)
