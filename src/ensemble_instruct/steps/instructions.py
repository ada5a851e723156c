"""Step 1: a model continues a list of instructions, or writes more like them; what is new and usable joins the pool.

Paper, section 3.1; the rules of the profile `published` are the original program's (design, section 7).
"""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from ensemble_instruct.concurrency import Tasks, gather
from ensemble_instruct.config.steps import InstructionsSection
from ensemble_instruct.novelty.pool import NoveltyPool, tokens_of
from ensemble_instruct.prompts.forms import Form
from ensemble_instruct.records import (
    Answer,
    Failure,
    Instruction,
    Kind,
    Profile,
    Rejected,
    Request,
    Response,
    content_id,
)
from ensemble_instruct.replies.end_marker import squeezed
from ensemble_instruct.steps.first_replies import FirstReplies
from ensemble_instruct.steps.usable import InstructionFilters, published_reason
from ensemble_instruct.version import __version__

ROUND = 5
"""Prompts that the original builds before it folds any of their replies."""
_ECHO = 0.7
"""ROUGE-L F1 to a sentence of the prompt, above which a text repeats it."""
_ITEM = re.compile(r"\n\d+\s?\. ")
"""Where the next number of the list begins."""


class Generator(Protocol):
    """What step 1 asks: a model, or what is known of its answers."""

    form: Form

    async def ask(self, request: Request) -> Answer:
        """See `Model.ask`."""

    def set_aside(self, name: str, places: int) -> None:
        """See `Model.set_aside`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionsPlan:
    """What step 1 needs for one kind."""

    kind: Kind
    seeds: tuple[str, ...]
    """The instructions of the seed tasks of this kind, in order."""
    section: InstructionsSection
    profile: Profile
    seed: int
    known: NoveltyPool | None = None
    """Further texts that an instruction must differ from."""

    @property
    def pool_id(self) -> str:
        """Hash of all that decides which texts are novel, before any was made."""
        known = (self.known[number] for number in range(len(self.known))) if self.known else ()
        return content_id(__version__, self.profile, repr(self.section.novelty_threshold), *self.seeds, *known)


async def make_instructions(
    model: Generator,
    plan: InstructionsPlan,
    earlier: Iterator[Instruction] | None = None,
    first: FirstReplies | None = None,
) -> AsyncGenerator[Instruction | Rejected, None]:
    """Yield instructions and drops in the order of the requests, until the target is met.

    What is yielded depends on the plan and the replies alone, not on when they arrive. Ends short of the target
    when `patience` replies in a row gave nothing. `earlier`: what was yielded before by a plan with the same `pool_id`;
    as long as it is made again, what it is similar to is taken from there. Raises `RunError` where the `first` replies
    are of no use.
    """
    if plan.section.target.of(plan.kind) == 0:
        return
    pool = _Pool(plan, model.form, earlier, first)
    records = _in_rounds(model, pool) if plan.profile == "published" else _in_window(model, pool)
    try:
        async with aclosing(records):
            async for record in records:
                yield record
    finally:
        model.set_aside(plan.kind, 0)


async def _in_rounds(model: Generator, pool: _Pool) -> AsyncGenerator[Instruction | Rejected, None]:
    """The original's order: five prompts from one random sequence, then their five replies; whole rounds only.

    A round is sent as soon as the one before is folded: nothing depends on how fast its records are drawn.
    """
    rng = random.Random(pool.plan.seed)  # noqa: S311 - chooses demonstrations

    def free_places(_: object) -> None:
        model.set_aside(pool.plan.kind, 0)

    tasks, number, records = Tasks(), 0, list[Instruction | Rejected]()
    try:
        while pool.missing > 0:
            requests = [pool.request(rng, ROUND * number + place) for place in range(ROUND)]
            answers = tasks.start(gather(model.ask(request) for request in requests))
            answers.add_done_callback(free_places)
            model.set_aside(pool.plan.kind, ROUND)
            for record in records:
                yield record
            answers.remove_done_callback(free_places)
            records = [record for answer in await tasks.result(answers) for record in pool.fold(answer, number)]
            number += 1
        for record in records:
            yield record
    finally:
        await tasks.cancel()


async def _in_window(model: Generator, pool: _Pool) -> AsyncGenerator[Instruction | Rejected, None]:
    """Up to `window` requests in flight; a request is built when a reply was folded, and from that state alone."""
    in_flight: deque[asyncio.Future[Answer]] = deque()
    tasks = Tasks()
    sent = folded = unanswered = 0

    def answered(_: object) -> None:
        nonlocal unanswered
        unanswered -= 1
        model.set_aside(pool.plan.kind, unanswered)

    try:
        while True:
            while len(in_flight) < pool.outstanding(folded):
                rng = random.Random(f"{pool.plan.seed}/{pool.plan.kind}/{sent}")  # noqa: S311 - chooses demonstrations
                in_flight.append(tasks.start(model.ask(pool.request(rng, sent))))
                in_flight[-1].add_done_callback(answered)
                sent, unanswered = sent + 1, unanswered + 1
            if not in_flight:
                return
            model.set_aside(pool.plan.kind, unanswered)
            for record in pool.fold(await tasks.result(in_flight.popleft()), folded):
                yield record
            folded += 1
    finally:
        await tasks.cancel()


class _Pool:
    """Seeds and kept instructions of one kind: the state that replies are folded into."""

    def __init__(
        self, plan: InstructionsPlan, form: Form, earlier: Iterator[Instruction] | None, first: FirstReplies | None
    ) -> None:
        self.plan, self._form, self._first = plan, form, first
        self._earlier = earlier
        self._next = next(earlier, None) if earlier else None
        self._filters = InstructionFilters.of(plan.section.filters)
        self._similar = NoveltyPool(
            plan.seeds, plan.section.novelty_threshold, tokens=tokens_of(plan.profile), base=plan.known
        )
        self._wording = NoveltyPool(form.wording(plan.kind), _ECHO, tokens=tokens_of(plan.profile))
        self._with_mean = plan.profile == "published" or plan.section.mean_similarity
        self._made: list[str] = []
        self._target = plan.section.target.of(plan.kind)
        self._demonstrations = plan.section.demonstrations.of(plan.kind)
        self._shared = "\n".join(plan.seeds)
        self._fruitless = 0

    @property
    def missing(self) -> int:
        """How many instructions are still wanted; 0 also when patience is at its end."""
        if self._fruitless >= self.plan.section.patience:
            return 0
        return max(0, self._target - len(self._made))

    def outstanding(self, folded: int) -> int:
        """How many requests may be in flight: no more than are likely needed, from folded replies alone."""
        rate = max((len(self._made) + 1) / (folded + 1), 0.05)  # plus 1, as in Laplace's rule: never 0 at the start
        return min(self.plan.section.window, math.ceil(self.missing / rate))

    def request(self, rng: random.Random, number: int) -> Request:
        """The request with this number, showing demonstrations from the pool as it now is."""
        plan = self.plan
        shown = rng.sample(self._made, min(plan.section.machine_demonstrations, len(self._made), self._demonstrations))
        shown += rng.sample(plan.seeds, self._demonstrations - len(shown))
        rng.shuffle(shown)
        seed = int(content_id(str(plan.seed), "instructions", plan.kind, str(number)), 16) % 2**31
        request = self._form.instructions(plan.kind, shown, seed, self._shared)
        return replace(request, sampling=plan.section.sampling.applied_to(request.sampling))

    def fold(self, answer: Answer, number: int) -> Iterator[Instruction | Rejected]:
        """The records that a reply gives; the kept ones join the pool."""
        reasons = []
        for text, reason in _pieces(answer.outcome, self.plan, self._form, self._filters):
            record = self._judge(text, reason, answer.key, number)
            reasons.append(record.reason if isinstance(record, Rejected) else "")
            yield record
        self._fruitless = 0 if "" in reasons else self._fruitless + 1
        if self._first is not None:
            outcome = answer.outcome
            self._first.note(outcome.message if isinstance(outcome, Failure) else outcome.text, reasons)

    def _judge(self, text: str, reason: str, key: str, number: int) -> Instruction | Rejected:
        plan = self.plan
        detail = ""
        if not reason and self._wording.above(text, _ECHO):
            reason = "not_a_task"  # the model gives back what it was told of tasks
        if not reason and plan.profile == "default" and len(self._made) >= self._target:
            reason = "target_reached"
        if not reason:
            if (before := self._next) is not None and before.text == text:
                return self._keep_again(before, key, number)
            closest = self._similar.above(text, plan.section.novelty_threshold)
            if closest is None:
                return self._keep(text, key, number)
            reason, detail = "not_novel", f"{closest[0]:.3f} to: {self._similar[closest[1]]}"
        return Rejected(step="instructions", reason=reason, text=text, kind=plan.kind, request_key=key, detail=detail)

    def _keep_again(self, before: Instruction, key: str, number: int) -> Instruction:
        # the same texts in the same order: what each is similar to was computed in the start before
        mean = before.mean_similarity
        if self._with_mean and mean is None:
            mean = self._similar.mean(before.text)
        self._add(before.text)
        self._next = next(self._earlier, None) if self._earlier else None
        return replace(before, request_key=key, round=number, mean_similarity=mean if self._with_mean else None)

    def _keep(self, text: str, key: str, number: int) -> Instruction:
        self._earlier = self._next = None  # from here on, the pool is another one
        similar = tuple((self._similar[place], score) for score, place in self._similar.top(text, 10))
        mean = self._similar.mean(text) if self._with_mean else None
        self._add(text)
        return Instruction(
            kind=self.plan.kind, text=text, request_key=key, round=number, most_similar=similar, mean_similarity=mean
        )

    def _add(self, text: str) -> None:
        self._similar.add(text)
        self._made.append(text)


def _pieces(
    outcome: Response | Failure, plan: InstructionsPlan, form: Form, filters: InstructionFilters
) -> Iterator[tuple[str, str]]:
    """(text, reason to drop it or empty) for each item of the list that a reply is, or goes on."""
    if isinstance(outcome, Failure):
        yield outcome.message, outcome.type
    elif plan.profile == "published":
        for item in _ITEM.split(outcome.text):
            text = squeezed(item)
            yield text, published_reason(text)
    else:
        from ensemble_instruct.replies.lists import read_list  # here, as most commands read no list

        items = read_list(
            outcome.text,
            continues=form.continues_list,
            is_cut_off=outcome.finish_reason == "length",
            keeps_input=plan.kind == "output_only",
        )
        for text, reason in items:
            yield text, reason or filters.reason(text)
