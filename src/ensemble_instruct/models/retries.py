"""What a failed try means: try again and when, a failure of this request, or the end of the run."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ModelError, RequestRefusedError, RunError, TransientError
from ensemble_instruct.models.awake import AwakeClock
from ensemble_instruct.records import Failure

_FIRST_DELAY = 0.25
"""Seconds before the second try; each further time twice as long (exponential backoff), with jitter."""
_LONGEST_DELAY = 30.0
"""Seconds before a further try at most, where the server does not ask for more."""
_FEW = 10
"""As many requests as may fail together and be at fault themselves; when more do, it is the server."""
_SHARE = 0.25
"""The share of all requests that may, where that is more than a few."""
_MANY = 255
"""As many as may at most, whatever the share."""
_ACCUSED = 2
"""Tries of a request that failed while later ones of others succeeded, from which on it is at fault itself."""
_SHOWN_BY = 4
"""A try comes early after as many answers to other requests, for each one that waits to be tried again."""
_SILENCE = 5.0
"""Seconds without a success, with more than `_MANY` requests failing, that make an outage."""
_SECONDS_A_TRY = 5.0
"""Where others do not show that the server works, a request is given up after as many seconds for each of its tries."""
_SECONDS_A_TRY_OF_MANY = 20.0
"""The same, while so many fail that the server is likely to be at fault."""
_PATIENT_CAUSES = ("429", "503", "529", "unreachable", "tls", "proxy", "descriptors")
"""The server has no place or is not there: no fault of the request, however often."""
_GATEWAY_CAUSES = ("502", "504")
"""The server behind a gateway is not there, or this request is what brings it down."""
_SILENT_CAUSES = (*_GATEWAY_CAUSES, "connection", "timeout")
"""The server did not say itself that it failed."""


@dataclass(slots=True, kw_only=True)
class Tries:
    """What became of a request so far; times are those of an `AwakeClock`. Written by `Retries` alone."""

    began: float
    made: int = 0
    proven: int = 0
    """Those that speak against the request, for another one that was sent later succeeded."""
    likely: int = 0
    """Those that speak against it without such a proof."""
    sent: float = 0.0
    """When the last one was sent, by `time.monotonic`."""
    delay: float = 0.0
    """Seconds to wait before the next one."""
    error: TransientError | None = None
    server: int | None = None
    """Number of the server where the last one failed, or lasted too long."""
    failed_at: int | None = None
    """Number of the server where the last one failed."""
    others_answered: int = 0
    """Requests that were sent there after that one, and were answered before the next one."""
    asked_again: int = 0
    """Tries since one lasted too long: that is no failure."""
    is_told: bool = False
    """Whether the server asked for that delay."""

    @property
    def is_doubtful(self) -> bool:
        """Whether the last one failed so that the request itself may be at fault."""
        return self.error is not None and self.error.cause not in _PATIENT_CAUSES


class Retries:
    """The failures and successes of one model."""

    def __init__(self, name: str, section: ModelSection, clock: AwakeClock) -> None:
        self._name, self._section, self._clock = name, section, clock
        self.last_success = self._clock.now()
        self._worked_at: dict[int, float] = {}
        """By server, when the last one was sent of those that succeeded, by `time.monotonic`."""
        self._ever_succeeded = False
        self._answers = 0
        self._refused = 0
        self._failing: set[str] = set()
        """Requests that failed, and are not known to be at fault themselves."""
        self._jitter = random.Random()  # noqa: S311 - spreads retries, decides no record

    def replayed(self, *, succeeded: bool) -> None:
        """An answer was found in the store."""
        self._answers += 1
        self._ever_succeeded |= succeeded

    def begun(self) -> Tries:
        """The tries of a request that was not tried yet."""
        return Tries(began=self._clock.now())

    def lasted_too_long(self, tries: Tries, server: int) -> None:
        """A try lasted so long that the request is asked again, at another server where there is one."""
        tries.asked_again += 1
        tries.server, tries.delay = server, 0.0

    @property
    def is_outage(self) -> bool:
        """Whether more requests fail than can be at fault themselves, and nothing has succeeded for some time."""
        return not self._may_be_at_fault(_MANY) and self._clock.now() - self.last_success > _SILENCE

    def succeeded(self, key: str, sent: float, server: int) -> bool:
        """A request that was sent to a server then succeeded; whether that ends a time in which nothing did."""
        now = self._clock.now()
        had_failed = bool(self._failing) and now - self.last_success > 1.0
        self.last_success, self._ever_succeeded = now, True
        self._worked_at[server] = max(self._worked_at.get(server, -1.0), sent)
        self._answers += 1
        self._failing.discard(key)
        return had_failed

    def refused(self, key: str, error: RequestRefusedError) -> Failure:
        """The failure of a request that the server refused for good.

        Raises `ModelError` when the server refuses everything: then the config is at fault, not the requests.
        """
        self._answers += 1
        self._failing.discard(key)
        self._refused += 1
        if error.type == "bad_request" and not self._ever_succeeded and self._refused >= _FEW:
            raise ModelError(
                f"model {self._name}: the first {self._refused} requests were all refused, the last one with: {error}; "
                f"check models.{self._name}"
            )
        return Failure(error.type, str(error))

    def failed(
        self, key: str, error: TransientError, tries: Tries, sent: float, server: int, *, elsewhere: bool
    ) -> Failure | None:
        """The failure of this very request, when it has been tried often enough; None to try it again.

        `sent` and `server` say when this try was (by `time.monotonic`), and where. With `elsewhere`, another server is
        there to take it at once. Raises `RunError` after `give_up_after` seconds without any success.
        """
        now = self._clock.now()
        self._judge_the_one_before(key, tries)
        tries.error, tries.sent, tries.server, tries.failed_at = error, sent, server, server
        tries.others_answered = 0
        tries.made += 1
        self.require_hope(tries)
        needed = max(2, self._section.max_tries)
        counted = tries.proven + tries.likely + self._is_likely(error, tries)
        sure_at = tries.began + self._seconds_a_try(tries, needed) * needed
        if counted >= needed and now >= sure_at:
            self._failing.discard(key)
            self._answers += 1
            return Failure("server_error", f"each of its tries failed, the last one: {error}")
        tries.delay = self._delay(error, tries, elsewhere=elsewhere)
        last_chance = max(tries.began, self.last_success) + self._section.give_up_after
        # a try just after the moment that decides, so that no long delay puts the decision off
        for moment in (last_chance, sure_at) if counted + 1 >= needed else (last_chance,):
            if now < moment:
                tries.delay = min(tries.delay, moment - now + 0.01)
        return None

    def _judge_the_one_before(self, key: str, tries: Tries) -> None:
        """Whether the try before speaks against the request shows only now."""
        # what was sent later succeeded: the server works, so this request is what it fails at
        if tries.error is not None and self._works_since(tries):
            tries.proven += tries.error.cause not in _PATIENT_CAUSES
        elif tries.error is not None:
            tries.likely += self._is_likely(tries.error, tries)
        if tries.proven < _ACCUSED:
            self._failing.add(key)
        else:
            self._failing.discard(key)

    def _works_since(self, tries: Tries) -> bool:
        """Whether the server of the last try has answered another request that was sent later."""
        return tries.failed_at is not None and self._worked_at.get(tries.failed_at, -1.0) > tries.sent

    def _is_likely(self, error: TransientError, tries: Tries) -> bool:
        """Whether a failed try speaks against the request, though nothing proves it."""
        if error.cause in _PATIENT_CAUSES or error.server_down:
            return False
        if tries.proven:
            return True
        return self._may_be_at_fault(_FEW) if error.cause in _SILENT_CAUSES else self._may_be_at_fault(_MANY)

    def _seconds_a_try(self, tries: Tries, needed: int) -> float:
        if tries.proven >= needed - 1:
            return 0.0
        return _SECONDS_A_TRY if tries.proven or self._may_be_at_fault(_FEW) else _SECONDS_A_TRY_OF_MANY

    def _delay(self, error: TransientError, tries: Tries, *, elsewhere: bool) -> float:
        tries.is_told = bool(error.retry_after)
        if error.retry_after:
            return error.retry_after + self._jitter.uniform(0.0, 0.1)
        if elsewhere and tries.made == 1:
            return 0.0
        return min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(tries.made - 1, 10)) * self._jitter.uniform(0.5, 1.5)

    def require_hope(self, tries: Tries) -> None:
        """Raise `RunError` after `give_up_after` seconds without any success."""
        waited = self._clock.now() - max(tries.began, self.last_success)
        if tries.error is not None and waited > self._section.give_up_after:
            raise RunError(
                f"model {self._name}: no success for {waited:.0f} s, the last error was: {tries.error}; "
                f"all answers are kept: see to the server, then run the same command again"
            )

    def _may_be_at_fault(self, most: int) -> bool:
        """Whether the requests that fail are few, and not more than `most`: then it may be they and not the server."""
        share = _SHARE * (self._answers + len(self._failing))
        return self._ever_succeeded and len(self._failing) <= max(_FEW, min(most, share))


class Sleepers:
    """Requests that wait to be tried again."""

    def __init__(self) -> None:
        self._sleeping: dict[asyncio.Future[None], Tries] = {}
        """By what wakes them."""

    async def sleep(self, tries: Tries) -> None:
        """Wait until a request may be tried again, or until the server works again."""
        if tries.delay <= 0:
            return
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleeping[sleeper] = tries
        timer = loop.call_later(tries.delay, _wake, sleeper)
        try:
            await sleeper
        finally:
            timer.cancel()
            del self._sleeping[sleeper]

    def answered(self, server: int, sent: float, *, is_held_back: bool) -> None:
        """A request that was sent to a server then was answered: those that failed there before come early.

        Where they are many, they do not: the server itself may fail. With `is_held_back` it was sent to show just that.
        """
        for sleeper, tries in self._sleeping.items():
            if tries.failed_at == server and tries.sent < sent and not tries.is_told:
                tries.others_answered += 1
                if is_held_back or tries.others_answered >= _SHOWN_BY * len(self._sleeping):
                    _wake(sleeper)

    def wake(self) -> None:
        """The server works again: all go, but those that it asked to wait."""
        for sleeper, tries in self._sleeping.items():
            if not tries.is_told:
                _wake(sleeper)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
