"""Everything that this package raises, as one tree.

A message is one line: what is wrong, where, and the next thing to do. Errors of other libraries are mapped
to these at the border where they arise (a client, the store, a file reader) and nowhere else.
"""

from __future__ import annotations


class EnsembleInstructError(Exception):
    """Root of the tree. `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(EnsembleInstructError):
    """The user asked for something that cannot be done as asked; nothing was written."""

    exit_code = 2


class ConfigError(UsageError):
    """A config that is not valid: unknown key, wrong type, a role that names no model."""


class InputFileError(UsageError):
    """A file given by the user that cannot be read as what it should be."""


class RunError(EnsembleInstructError):
    """The run failed or was stopped; what was answered is kept."""


class StoreError(RunError):
    """The run's database cannot be read or written."""


class RunLockedError(UsageError):
    """Another process works in the same run folder."""


class ConfigChangedError(UsageError):
    """A run is resumed with a config that would change its records."""


class ModelError(RunError):
    """A model can answer no request at all: the run stops at once."""


class AuthenticationError(ModelError):
    """The server does not accept the API key."""


class UnknownModelError(ModelError):
    """The server does not serve the model that the config names."""


class ServerUnreachableError(ModelError):
    """No connection could be made to the server of a model."""


class RequestError(EnsembleInstructError):
    """One request got no answer. A client raises one of its subclasses; `Model` deals with them."""


class TransientError(RequestError):
    """The same request may succeed later.

    `cause` is a short word for the log (`429`, `timeout`, `malformed`); `retry_after` is in seconds, if the
    server named it; `server_down` says that no request at all can succeed at present.
    """

    def __init__(
        self, message: str, *, cause: str, retry_after: float | None = None, server_down: bool = False
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.retry_after = retry_after
        self.server_down = server_down


class RequestRefusedError(RequestError):
    """This request will never be answered. `type` is one of `content_filter`, `prompt_too_long`, `bad_request`."""

    def __init__(self, message: str, *, type: str) -> None:  # noqa: A002 - the field's name for it
        super().__init__(message)
        self.type = type


class HubError(EnsembleInstructError):
    """The Hub did not take a dataset; the folder that was written for it is kept."""
