"""Between a step and a language model: replay from the store → admit → retry → client → commit → read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.servers.prices import response_cost
from ensemble_instruct.errors import ModelError, RequestError, RequestRefusedError, TransientError
from ensemble_instruct.models.admission.climb import HIGHEST_LIMIT
from ensemble_instruct.models.admission.dispatcher import Dispatcher
from ensemble_instruct.models.admission.gate import OVERDUE, GateStatus
from ensemble_instruct.models.admission.stragglers import Flight, Oldest, Stragglers, overdue
from ensemble_instruct.models.asking import as_asked, request_key
from ensemble_instruct.models.awake import AwakeClock
from ensemble_instruct.models.budget import Budget, Share
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.retries import Retries, Sleepers
from ensemble_instruct.models.sent import Asked, Sent
from ensemble_instruct.models.server_notes import ServerNotes
from ensemble_instruct.models.servers import Servers
from ensemble_instruct.models.telemetry import Telemetry
from ensemble_instruct.prompts.folder import Prompts
from ensemble_instruct.prompts.forms import form_of
from ensemble_instruct.records import TEMPLATE_TOKENS, Answer, Failure, Profile, Request, Response, estimated_tokens
from ensemble_instruct.replies.reader import read_answer
from ensemble_instruct.store.rows import DROPPED, Attempt
from ensemble_instruct.store.store import Store

_WINDOW_FACTOR = 16
"""Requests that a step has under way for each place at the servers, while that is within the next two."""
_SMALLEST_WINDOW = 64
"""Requests that a step has under way at least."""
_LARGEST_WINDOW = 2048
"""Requests that it has under way at most, unless twice the places are more; also where no ceiling is set."""
_WITHOUT_REPLY = ("connection", "timeout", "unreachable", "tls", "proxy", "descriptors", OVERDUE)
"""Causes of a failure that came with no headers, so that the client's `limits` are those of an earlier reply."""

_READING = 0.02
"""What a token of the prompt takes, for one of the reply."""

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Usage:
    """What one model did in this process."""

    asked: int = 0
    replayed: int = 0
    failed: int = 0
    paid_for_nothing: int = 0
    """Tries that were paid, or may have been, and gave no answer."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    retries: Counter[str] = field(default_factory=Counter)

    def add(self, asked: str, outcome: Response | Failure) -> None:
        """Count one answer."""
        self.asked += 1
        if isinstance(outcome, Failure):
            self.failed += 1
        else:
            prompt_tokens, completion_tokens = outcome.used_tokens(asked)
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens


class Model:
    """One model of the config, on one server or several replicas: asks for what the store does not know yet.

    `ask` is safe to call from many tasks; a request that is already on its way is not sent twice.
    """

    def __init__(
        self,
        name: str,
        section: ModelSection,
        clients: Sequence[tuple[str, Client]],
        store: Store,
        budget: Budget | None = None,
        telemetry: Telemetry | None = None,
        clock: AwakeClock | None = None,
        most: int = HIGHEST_LIMIT,
        profile: Profile = "default",
        prompts: Prompts | None = None,
    ) -> None:
        self.name = name
        self.form = form_of(section.endpoint, profile, prompts)
        """How the steps ask it."""
        self.profile: Profile = profile
        self.usage = Usage()
        self.section, self._store, self._budget, self._telemetry = section, store, budget, telemetry
        self._identity, self._price = section.identity, section.known_price
        self._servers = Servers(name, section, clients, most)
        self._notes = ServerNotes(name, section.identity, store)
        self._dispatcher = Dispatcher(self._servers.gates)
        self._retries = Retries(name, section, clock or AwakeClock())
        self._on_the_way: dict[str, asyncio.Future[Answer]] = {}
        """By key, the requests that are being asked: an equal one waits for the answer of the first."""
        self._sleepers = Sleepers()
        self._stragglers = Stragglers(is_on=section.provider == "openai")
        self._dearest = 0.0
        """The most that one try has cost so far, in US dollars."""
        self._completion_tokens = 0.0
        """Usual length of a reply: a moving average, 0 before the first one."""

    @property
    def window(self) -> int:
        """How many requests a step shall have under way, so that one that is tried again holds up nothing."""
        in_flight = (self.section.max_in_flight or _LARGEST_WINDOW // _WINDOW_FACTOR) * len(self._servers.clients)
        return max(_SMALLEST_WINDOW, min(_LARGEST_WINDOW, _WINDOW_FACTOR * in_flight), 2 * in_flight)

    @property
    def in_flight(self) -> int:
        """Requests that are at a server, or answered and on their way to the disk."""
        return self._dispatcher.in_flight

    @property
    def servers(self) -> list[GateStatus]:
        """The state of each server at this moment."""
        return [gate.status() for gate in self._servers.gates]

    @property
    def oldest(self) -> Oldest | None:
        """The request that has been on its way for the longest time, if one is."""
        return self._stragglers.oldest(self.name)

    async def open(self) -> None:
        """Open the servers, once; raises `ModelError` when the model cannot be reached at all."""
        await self._servers.open()

    def set_aside(self, name: str, places: int) -> None:
        """Keep places for requests of step 1, for which all others wait; 0 ends it."""
        self._dispatcher.set_aside(name, places)

    async def stop(self) -> None:
        """Send nothing more; return once all that is in flight has come home."""
        await self._dispatcher.stop()

    async def unload(self) -> None:
        """Free what the model holds; the next request that the store cannot answer opens it again."""
        await self._servers.unload()

    async def close(self) -> None:
        """Close what was opened."""
        await self._servers.close()

    async def ask(self, request: Request) -> Answer:
        """The answer to a request as it is read: from the store, or from the model once it is on disk as it came.

        Raises `RunError` when the run cannot go on.
        """
        return read_answer(await self._committed(as_asked(self.section, request)), self.profile)

    async def _committed(self, request: Request) -> Answer:
        key = request_key(self._identity, request)
        # request coalescing ("single flight"): of equal requests one is asked, the others wait for its answer
        while (earlier := self._on_the_way.get(key)) is not None:
            await asyncio.wait([earlier])
            if not earlier.cancelled():
                return earlier.result()
        if (answer := self._store.answer(key)) is not None:
            self.usage.replayed += 1
            self._retries.replayed(succeeded=isinstance(answer.outcome, Response))
            return answer
        mine = self._on_the_way[key] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._ask_servers(key, request)
            mine.set_result(answer)
            return answer
        finally:
            mine.cancel()  # where there is no answer: one of those who wait for it then asks by itself
            del self._on_the_way[key]

    async def _ask_servers(self, key: str, request: Request) -> Answer:
        """Try until there is an outcome; no try is begun that the budget does not cover."""
        tokens = estimated_tokens(request.text) + (self._completion_tokens or request.sampling.max_tokens)
        asked = Asked(key=key, request=request, tokens=tokens, tries=self._retries.begun())
        try:
            while True:
                is_covered, outcome = await self._ask_once(asked)
                if outcome is None and asked.second is not None:
                    outcome = await asked.second
                if outcome is not None:
                    return Answer(key, outcome)
                self._dispatcher.note_failing(key, is_doubtful=asked.tries.is_doubtful)
                if is_covered:
                    await self._sleepers.sleep(asked.tries)
                    self._retries.require_hope(asked.tries)
        finally:
            self._dispatcher.note_decided(key)
            if asked.second is not None:
                asked.second.cancel()
                await asyncio.wait([asked.second])

    async def _ask_once(self, asked: Asked) -> tuple[bool, Response | Failure | None]:
        """Whether the budget still covered a try, and its outcome: committed before the place is given back."""
        share = None if self._budget is None else await self._budget.reserve(self._most(asked.request))
        try:
            return await self._ask_in_turn(asked, share)
        finally:
            if share is not None:
                share.settle()

    async def _ask_in_turn(self, asked: Asked, share: Share | None) -> tuple[bool, Response | Failure | None]:
        request, tries = asked.request, asked.tries
        first, again = request.step == "instructions", tries.made + tries.asked_again > 0
        number = await self._dispatcher.enter(asked.tokens, first=first, again=again, avoid=tries.server)
        hold = 0.0
        try:
            self._retries.require_hope(tries)
            if not self._servers.is_open:
                await self._servers.open()
            if share is not None and not share.grows_to(self._most(request)):
                return False, None
            began = time.monotonic()
            outcome, hold, paid = await self._try(number, asked)
            if share is not None:
                share.cost = paid or 0.0
            self._dearest = max(self._dearest, paid or 0.0)
            if outcome is not None:
                await self._store.commit(asked.key, self.name, request, outcome, time.monotonic() - began)
                self.usage.add(request.text, outcome)
            elif paid is not None:
                await self._store.flush()
            return True, outcome
        finally:
            self._dispatcher.leave(number, hold, first=first, again=again)

    async def _ask_second(self, asked: Asked) -> Response | Failure | None:
        """The outcome of a second try beside the first, which then is given up; None when it failed."""
        is_over = True
        try:
            _, outcome = await self._ask_once(asked)
            is_over = outcome is not None
            return outcome
        finally:
            if is_over:
                asked.give_up()

    def _ask_again(self, asked: Asked, number: int, until: asyncio.Timeout, *, is_second: bool) -> bool:
        """Ask a request again whose try lasts too long, if that is possible.

        If another server is idle, it is asked too; else the try is given up first.
        """
        covers = self._budget is None or self._budget.covers(self._most(asked.request))
        if asked.is_answered or not covers or (asked.asks_two and not is_second):
            return False
        self._retries.lasted_too_long(asked.tries, number)
        first = asked.request.step == "instructions"
        if not asked.asks_two and self._dispatcher.is_idle_beside(number, asked.tokens, first=first):
            asked.second = asyncio.create_task(self._ask_second(asked))
        else:
            until.reschedule(asyncio.get_running_loop().time())
        return True

    def _most(self, request: Request) -> float:
        """The most that a request can cost, in US dollars: a token is a byte at least, and servers state costs."""
        turns = len(request.earlier) + 1
        tokens = len(request.text.encode("utf-8", "surrogatepass")) + turns * TEMPLATE_TOKENS
        return max(self._dearest, self._price.most(tokens, request.sampling.max_tokens) if self._price else 0.0)

    def _note_paid(self, sent: Sent, asked: Asked, paid: Response | None, cause: str) -> float | None:
        """Let the store know of a try that gave no answer; what it cost, 0 where that is not known, None if nothing."""
        if paid is None:
            return None
        attempt = Attempt(
            key=asked.key, model=self.name, request=asked.request, cause=cause, paid=paid, seconds=sent.seconds
        )
        self._store.note_attempt(attempt)
        self.usage.paid_for_nothing += 1
        return attempt.cost(self._price) or 0.0

    async def _try(self, number: int, asked: Asked) -> tuple[Response | Failure | None, float, float | None]:
        """One try at one server: the outcome, for how many seconds more it shall keep its place there, what it cost.

        The outcome is None when the request is to be tried again, or another try has it. Raises `RunError`.
        """
        gate, client, request = self._servers.gates[number], self._servers.clients[number], asked.request
        began = time.monotonic()
        sent = Sent(number, gate, began, gate.rates.used_requests, gate.rates.used_tokens, gate.begins(began))
        problem: RequestError | None = None
        outcome: Response | Failure | None
        hold = 0.0
        try:
            outcome = await self._answer_in_time(client, asked, sent)
        except RequestRefusedError as error:
            cost = self._note_paid(sent, asked, error.paid, error.type)
            gate.answered(sent.requests, sent.seconds, time.monotonic())
            problem, outcome = error, self._retries.refused(asked.key, error)
        except TransientError as error:
            cost, problem = self._note_paid(sent, asked, error.paid, error.cause), error
            outcome, hold = self._after_failure(sent, asked, error)
        except ModelError as error:
            cost, problem = None, self._servers.refused(number, error)
            outcome, hold = self._after_failure(sent, asked, problem)
        except asyncio.CancelledError:
            if self.section.provider == "openai":  # the server may go on with it
                self._note_paid(sent, asked, Response(""), OVERDUE if asked.is_answered else DROPPED)
            raise
        else:
            cost = response_cost(self._price, outcome, request.text)
            self._after_success(sent, asked, outcome)
            self._notes.answered(gate.server, request, outcome)
        self._notes.see(gate.server, client.notes)
        if client.limits is not None and getattr(problem, "cause", "") not in _WITHOUT_REPLY:
            gate.rates.note(time.monotonic(), client.limits, sent.requests, sent.tokens)
        self._report(sent, request, outcome, problem)
        if isinstance(outcome, Failure) and not asked.answer_came():
            outcome = None
        return outcome, hold, cost

    async def _answer_in_time(self, client: Client, asked: Asked, sent: Sent) -> Response:
        """The answer; raises `TransientError` also where the try is given up, or another one was answered before it."""
        until, is_second = asyncio.timeout(None), asyncio.current_task() is asked.second
        asked.since = asked.since or sent.began
        flight = sent.flight = Flight(
            step=asked.request.step,
            gate=sent.gate,
            began=sent.began,
            since=asked.since,
            asked_again=asked.tries.asked_again,
            ask_again=partial(self._ask_again, asked, sent.server, until, is_second=is_second),  # no cycle with `sent`
        )
        try:
            async with until:
                asked.on_the_way[flight] = until
                self._stragglers.sent(flight)
                try:
                    response = await client.answer(asked.request)
                finally:
                    del asked.on_the_way[flight]
                    self._stragglers.home(flight)
        except TimeoutError as error:
            if not until.expired():
                raise
            raise overdue("a request lasts far longer than others", Response("")) from error
        if not asked.answer_came():
            raise overdue("another server was faster", replace(response, text="", reasoning=""))
        return response

    def _after_success(self, sent: Sent, asked: Asked, response: Response) -> None:
        now, seconds = time.monotonic(), sent.seconds
        prompt_tokens, length = response.used_tokens(asked.request.text)
        size = 1 + length + _READING * prompt_tokens
        sent.gate.answered(sent.requests, seconds, now, place=sent.place, size=size)
        sent.gate.rates.correct(now, prompt_tokens + length - asked.tokens)
        if sent.flight is not None:
            self._stragglers.answered(sent.flight, seconds)
        self._completion_tokens += 0.1 * (length - self._completion_tokens) if self._completion_tokens else length
        self._sleepers.answered(sent.server, sent.began, is_held_back=self._dispatcher.is_holding_back)
        if self._retries.succeeded(asked.key, sent.began, sent.server):
            self._sleepers.wake()

    def _after_failure(self, sent: Sent, asked: Asked, error: TransientError) -> tuple[Failure | None, float]:
        gate, now = sent.gate, time.monotonic()
        was_away, hold, failure = gate.is_away, 0.0, None
        self.usage.retries[error.cause] += 1
        if error.cause == OVERDUE:
            if sent.flight is not None and sent.flight.is_overdue:
                gate.given_up(now)
        else:
            hold = gate.failed(sent.requests, error, sent.seconds, now)
            elsewhere = any(other is not gate and not other.is_away for other in self._servers.gates)
            failure = self._retries.failed(asked.key, error, asked.tries, sent.began, sent.server, elsewhere=elsewhere)
            if self._servers.is_odd_one_out(gate):
                gate.leave_alone(now, until_answer=True)
            elif self._retries.is_outage:
                gate.leave_alone(now)
        place = {"model": self.name, "server": gate.server, "cause": error.cause}
        if gate.retries[error.cause] == 1:
            log.warning("model %s at %s: %s; trying again", self.name, gate.server, error, extra=place)
        if gate.is_away and not was_away:
            log.info("model %s: left %s alone for a while", self.name, gate.server, extra=place)
        return failure, hold

    def _report(
        self, sent: Sent, request: Request, outcome: Response | Failure | None, problem: RequestError | None
    ) -> None:
        if self._telemetry is None:
            return
        seconds = sent.seconds
        self._telemetry.tried(
            model=self.section.model or self.name,
            provider=self.section.provider,
            operation="chat" if self.section.endpoint == "chat" else "text_completion",
            server=sent.gate.server,
            request=request,
            began=time.time() - seconds,
            seconds=seconds,
            response=outcome if isinstance(outcome, Response) else None,
            error=getattr(problem, "cause", None) or getattr(problem, "type", None),
        )
