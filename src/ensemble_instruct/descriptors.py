"""How many files and connections this process may have open at a time, and how many of them may be connections."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import suppress

RESERVE = 64
"""Kept for what is no connection to a server: SQLite, what is imported, logs, what a run writes."""
_MOST = (1_048_576, 65_536, 10_240)
"""To how many the limit is raised at most: what systems take whose hard limit says more, macOS the last one."""


def raise_limit() -> None:
    """Let this process have as many open as its hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in _MOST:
        wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
        if soft == resource.RLIM_INFINITY or wanted <= soft:
            return
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return


def left_for_connections() -> int:
    """How many connections this process may open at a time, beside what is open now and what else it will need."""
    left = limit() - _open_now()
    return max(0, left - min(RESERVE, left // 2))


def limit() -> int:
    """How many files and connections this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST[0] if soft == resource.RLIM_INFINITY else soft


def are_used_up(error: BaseException | None = None) -> bool:
    """Whether an error came because no more can be opened, or, where it does not say, whether that is so now."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.EMFILE, errno.ENFILE):
        return True
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as now:
        return now.errno in (errno.EMFILE, errno.ENFILE)
    return False


def used_up() -> str:
    """What to say then: the limit, and what to do."""
    return f"all {limit()} files and connections that this process may have open are in use; allow more (`ulimit -n`)"


def _open_now() -> int:
    try:
        return len(os.listdir("/dev/fd")) - 1  # noqa: PTH208 - paths of them take longer; one is the list itself
    except OSError:
        return 0
