"""Everything that this package raises, as one tree.

::

    EnsembleInstructError
    ├── UsageError                     asked for what cannot be done: exit code 2
    │   ├── ConfigError
    │   ├── InputFileError
    │   ├── RunLockedError
    │   └── ConfigChangedError
    ├── RunError                       the run failed or was stopped: exit code 1
    │   ├── StoreError
    │   └── ModelError
    │       ├── AuthenticationError
    │       ├── QuotaError
    │       ├── UnknownModelError
    │       └── ServerUnreachableError
    ├── RequestError                   one request got no answer; `Model` deals with it
    │   ├── TransientError
    │   └── RequestRefusedError
    ├── EmptyError                     ended with nothing in it, which is no success: exit code 1
    └── HubError

A message is one line: what is wrong, where, and the next thing to do. Errors of other libraries are mapped to these at
the border where they arise (a client, the store, a file reader) and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ensemble_instruct.records import Response


class EnsembleInstructError(Exception):
    """Root of the tree: who catches it catches everything. `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(EnsembleInstructError):
    """Raised, before anything is written, for what cannot be done as asked: options, names, a missing extra."""

    exit_code = 2


class ConfigError(UsageError):
    """Raised for a config that is not valid: unknown key, wrong type, a role that names no model, a barred licence."""


class InputFileError(UsageError):
    """Raised for a user's file that cannot be read as what it should be, or a place that cannot be written."""


class RunError(EnsembleInstructError):
    """Raised when a run fails or is stopped, by a signal, the budget, or a server that is away for too long.

    What was answered is kept: the same command goes on.
    """


class StoreError(RunError):
    """Raised when a run's database cannot be opened, read or written, or the disk does not take another file."""


class RunLockedError(UsageError):
    """Raised when another process works in the same run folder."""


class ConfigChangedError(UsageError):
    """Raised when a run is resumed with a config that would change its records, unless that is forced."""


class ModelError(RunError):
    """Raised when a model can answer no request at all: the run stops at once."""


class AuthenticationError(ModelError):
    """Raised when a server does not accept the API key (HTTP 401 or 403, or 400 that says so)."""


class QuotaError(ModelError):
    """Raised when the account at a server has nothing left: no waiting helps, other than with a rate limit."""


class UnknownModelError(ModelError):
    """Raised when a server does not serve the model that the config names (HTTP 404, or 400 that says so)."""


class ServerUnreachableError(ModelError):
    """Raised at the start when no connection can be made to the server of a model, or to any of its replicas."""


class RequestError(EnsembleInstructError):
    """Raised by a client, as one of its subclasses, when a request got no answer; `Model` deals with it."""

    paid: Response | None = None
    """What the try took all the same, as a response without text; None where it is free for certain."""


class TransientError(RequestError):
    """Raised by a client when the same request may succeed later: it is sent again.

    `cause` is a short word for the log (`429`, `timeout`, `malformed`); `retry_after` is in seconds, or None where the
    server named no time; `server_down` says that no request at all can succeed at present.
    """

    def __init__(
        self, message: str, *, cause: str, retry_after: float | None = None, server_down: bool = False
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.retry_after = retry_after
        self.server_down = server_down


class RequestRefusedError(RequestError):
    """Raised by a client for a request that will never be answered: it is recorded, not sent again.

    `type` is one of `content_filter`, `prompt_too_long`, `bad_request`, `secret_in_reply`, and `no_scripted_reply` of a
    scripted model.
    """

    def __init__(self, message: str, *, type: str) -> None:  # noqa: A002 - the field's name for it
        super().__init__(message)
        self.type = type


class EmptyError(EnsembleInstructError):
    """Raised at the end of what has nothing in it, unless that is allowed.

    That is a run without an example, at all or of a kind that was asked for: all is written before. Of an export
    without a row nothing is written.
    """


class HubError(EnsembleInstructError):
    """Raised when the Hub does not take a dataset; the folder that was written for it is kept."""
