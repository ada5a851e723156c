"""Locks on open files and folders, which end with their process, also after `kill -9`; some file systems have none."""

from __future__ import annotations

import fcntl


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Hold the lock of an open file or folder until it is closed; False where the file system has no locks.

    A `shared` one several processes hold at once. Raises `BlockingIOError` where another process holds it.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # ENOLCK, ENOTSUP, ENOSYS, on some network shares EBADF or EINVAL: it cannot be told
        return False
    return True
