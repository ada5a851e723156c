"""What a failed try means: try again and when, a failure of this request, or the end of the run."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field

from ensemble_instruct.config import ModelSection
from ensemble_instruct.errors import ModelError, RequestRefusedError, RunError, TransientError
from ensemble_instruct.records import Failure

_FIRST_DELAY, _LONGEST_DELAY = 0.25, 30.0
_FEW, _MANY, _SHARE = 10, 255, 0.1
"""While nothing succeeds, so many requests may be at fault themselves: ten, or a tenth of all, but not more than 255.
When more fail together, the server is at fault."""
_SILENCE = 5.0
_SECONDS_A_TRY = 5.0
"""While nothing succeeds, a request is given up after so many seconds for each of its tries at the earliest."""
_PATIENT_CAUSES = ("429", "503", "529", "unreachable")
"""The server has no place or is not there: no fault of the request, however often."""
_GATEWAY_CAUSES = ("502", "504")
"""The server behind a gateway is not there, or this request is what brings it down."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tries:
    """What became of a request so far; times are those of `time.monotonic`."""

    began: float = field(default_factory=time.monotonic)
    made: int = 0
    counted: int = 0
    """Those that speak against the request, not against the server."""
    sent: float = 0.0
    """When the last one was sent; at first, when the request was asked."""
    delay: float = 0.0
    """Seconds to wait before the next one."""
    error: TransientError | None = None
    server: int | None = None
    """Number of the server that was tried last."""
    hold: float = 0.0
    """Seconds for which the last one keeps its place at the server."""
    is_told: bool = False
    """Whether the server asked for that delay."""


class Retries:
    """The failures and successes of one model."""

    def __init__(self, name: str, section: ModelSection) -> None:
        self._name, self._section = name, section
        self.last_success = time.monotonic()
        self._worked_at = -1.0
        """When the last one was sent of those that succeeded."""
        self._ever_succeeded = False
        self._answers = 0
        self._refused = 0
        self._failing: set[str] = set()
        self._jitter = random.Random()  # noqa: S311 - spreads retries, decides no record

    def replayed(self, *, succeeded: bool) -> None:
        """An answer was found in the store."""
        self._answers += 1
        self._ever_succeeded |= succeeded

    @property
    def is_outage(self) -> bool:
        """Whether so many requests fail, and nothing has succeeded for so long, that the server must be at fault."""
        return not self._few_fail() and time.monotonic() - self.last_success > _SILENCE

    def succeeded(self, key: str, sent: float) -> bool:
        """A request that was sent then succeeded; whether that ends a time in which nothing did."""
        now = time.monotonic()
        had_failed = bool(self._failing) and now - self.last_success > 1.0
        self.last_success, self._ever_succeeded = now, True
        self._worked_at = max(self._worked_at, sent)
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

    def failed(self, key: str, error: TransientError, tries: Tries, sent: float, *, elsewhere: bool) -> Failure | None:
        """The failure of this very request, when it has been tried often enough; None to try it again.

        `sent`: when this try was. With `elsewhere`, another server is there to take it at once. Raises `RunError`
        after `give_up_after` seconds without any success.
        """
        now = time.monotonic()
        tries.error = error
        self.require_hope(tries)
        works = self._worked_at > max(tries.began, tries.sent)
        self._failing.add(key)
        tries.made += 1
        tries.counted += self._counts(error, works=works)
        tries.sent = sent
        is_sure = works or now - tries.began >= _SECONDS_A_TRY * self._section.max_tries
        if tries.counted >= self._section.max_tries and is_sure:
            self._failing.discard(key)
            self._answers += 1
            return Failure("server_error", f"{tries.counted} tries failed, the last one: {error}")
        last_chance = max(tries.began, self.last_success) + self._section.give_up_after - now
        tries.delay = min(self._delay(error, tries, elsewhere=elsewhere), max(0.0, last_chance) + 0.01)
        return None

    def _delay(self, error: TransientError, tries: Tries, *, elsewhere: bool) -> float:
        tries.is_told = bool(error.retry_after)
        if error.retry_after:
            return error.retry_after + self._jitter.uniform(0.0, 0.1)
        if elsewhere and tries.made == 1:
            return 0.0
        return min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(tries.made - 1, 10)) * self._jitter.uniform(0.5, 1.5)

    def require_hope(self, tries: Tries) -> None:
        """Raise `RunError` after `give_up_after` seconds without any success."""
        waited = time.monotonic() - max(tries.began, self.last_success)
        if tries.error is not None and waited > self._section.give_up_after:
            raise RunError(
                f"model {self._name}: no success for {waited:.0f} s, the last error was: {tries.error}; "
                f"all answers are kept: see to the server, then run the same command again"
            )

    def _counts(self, error: TransientError, *, works: bool) -> bool:
        """Whether a failed try speaks against the request; `works`: others succeeded since it was tried before."""
        if error.cause in _PATIENT_CAUSES:
            return False
        return works or (error.cause not in _GATEWAY_CAUSES and self._few_fail())

    def _few_fail(self) -> bool:
        most = max(_FEW, min(_MANY, _SHARE * (self._answers + len(self._failing))))
        return self._ever_succeeded and len(self._failing) <= most
