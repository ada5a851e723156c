"""A dataset on the Hub: the files about it, and the upload. What can go wrong there becomes one line here.

An upload is one commit, so that a reader of the Hub sees the old dataset or the new one. Files are known there by their
content, and an export repeats to the byte: after an interruption, the same command sends only what is still missing.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ensemble_instruct.errors import EnsembleInstructError, HubError, UsageError
from ensemble_instruct.export.exporter import Describe, Exported
from ensemble_instruct.export.layout import is_shard, read_tables
from ensemble_instruct.export.options import NAMES
from ensemble_instruct.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")
_WAITS = 1.0, 4.0, 15.0
"""Seconds before an upload that broke off is tried again; each request has tries of its own before."""
_PASSING = 408, 429, 500, 502, 503, 504
"""HTTP statuses of errors that may be gone at the next try."""
_STATUS_IN_WORDS = re.compile(r"HTTP status (?:client|server) error \((\d{3})\b")
"""How the errors of `hf_xet` tell a status."""
_TOKENS = "https://huggingface.co/settings/tokens"
"""Where a user makes a token."""


@dataclass(frozen=True, slots=True)
class Access:
    """A token that the Hub accepts, and the whole name of the dataset."""

    api: HfApi
    repo: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The address of a dataset, and whether only its owner sees it."""

    url: str
    private: bool


def require_access(repo: str) -> Access:
    """Ask the Hub who we are; a name without an owner is one of ours. Nothing is changed there.

    Raises `UsageError` for a name that cannot be and where there is no token, `HubError` for a token that the Hub does
    not accept, and where there is no connection.
    """
    try:
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.utils import HFValidationError, disable_progress_bars, validate_repo_id
    except ImportError as error:
        raise UsageError("the Hub needs huggingface_hub: pip install 'ensemble-instruct[hub]'") from error
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UsageError(f"--repo {repo}: is no name of a dataset; {NAMES}") from error
    if get_token() is None:
        raise UsageError(f"--format hub: there is no token; set HF_TOKEN to one that may write ({_TOKENS})")
    if not sys.stderr.isatty():
        disable_progress_bars()
    api = HfApi(library_name="ensemble-instruct", library_version=__version__)
    try:
        me = api.whoami()
    except _errors() as error:
        raise _as_one_line(error, api, repo) from error
    return Access(api, repo if "/" in repo else f"{me['name']}/{repo}")


def upload(access: Access, folder: Path, exported: Exported, *, public: bool = False) -> Uploaded:
    """Make the folder the content of the dataset, in one commit; a new dataset is private unless `public`.

    Shards that the folder has not are removed there, other files stay. Raises `HubError`.
    """
    api, repo = access.api, access.repo

    def work() -> Uploaded:
        api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
        dataset = api.dataset_info(repo)
        there = [sibling.rfilename for sibling in dataset.siblings or ()]
        api.create_commit(
            repo,
            _operations(folder, there),
            repo_type="dataset",
            commit_message=f"{exported.main.rows} examples, by ensemble-instruct {__version__}",
        )
        return Uploaded(f"{api.endpoint}/datasets/{repo}", bool(dataset.private))

    return _with_retries(work, api, repo)


def _operations(folder: Path, there: list[str]) -> list[Any]:
    """What makes the dataset equal to the folder, in the order of the names."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    files = {path.relative_to(folder).as_posix(): path for path in paths}
    wanted = {name: path for name, path in files.items() if not name.startswith(".")}
    gone = [name for name in sorted(there) if is_shard(name) and name not in wanted]
    return [
        *(CommitOperationAdd(name, path) for name, path in wanted.items()),
        *(CommitOperationDelete(name) for name in gone),
    ]


def _with_retries(work: Callable[[], T], api: HfApi, repo: str) -> T:
    """What the work returns; it is tried again where that may help."""
    for wait in _WAITS:
        try:
            return work()
        except _errors() as error:
            if not _may_pass(error):
                raise _as_one_line(error, api, repo) from error
        time.sleep(wait)
    try:
        return work()
    except _errors() as error:
        raise _as_one_line(error, api, repo) from error


def _errors() -> tuple[type[Exception], ...]:
    """What `huggingface_hub` raises: its own errors, those of its HTTP client, of the system and of `hf_xet`."""
    from huggingface_hub.errors import HfHubHTTPError

    # of requests or of httpx, as the installed version of huggingface_hub uses the one or the other
    http_error = next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")
    return http_error, OSError, ValueError, RuntimeError


def _status(error: Exception) -> int | None:
    """The status of the reply that an error is about; `hf_xet` tells it in words alone."""
    status: int | None = getattr(getattr(error, "response", None), "status_code", None)
    if status is None and (match := _STATUS_IN_WORDS.search(str(error))):
        return int(match[1])
    return status


def _may_pass(error: Exception) -> bool:
    from huggingface_hub.errors import OfflineModeIsEnabled

    status = _status(error)
    if status is not None:
        return status in _PASSING
    return not isinstance(error, (ValueError, OfflineModeIsEnabled))


def _as_one_line(error: Exception, api: HfApi, repo: str) -> EnsembleInstructError:
    """The error as one line: what, where, and what to do next."""
    status = _status(error)
    reason = " ".join((getattr(error, "server_message", None) or str(error)).split())[:300]
    lines = {
        401: f"{api.endpoint} does not accept the token; set HF_TOKEN to a valid one ({_TOKENS})",
        403: f"{repo}: the token may not write there; use one with write access ({_TOKENS}), or another --repo",
        404: f"{repo}: is not there, or the token may not see it; check the name and the token ({_TOKENS})",
    }
    if status in lines:
        return HubError(lines[status])
    if status in _PASSING:
        return HubError(f"{api.endpoint} answers with HTTP {status}: {reason}; run the same command again later")
    if status is not None:
        return HubError(f"{repo}: {api.endpoint} answers with HTTP {status}: {reason}")
    if isinstance(error, ValueError):
        return HubError(f"{repo}: the Hub does not take it: {reason}")
    return HubError(f"{api.endpoint} cannot be reached: {reason}; check the network and run the same command again")


def describing(name: str | None) -> Describe:
    """What describes a dataset of this name; without one it is called as the run's folder is."""

    def describe(run: Path, folder: Path, _exported: Exported) -> dict[str, str]:
        from ensemble_instruct.export.card import dataset_card, licence_file
        from ensemble_instruct.export.croissant import croissant
        from ensemble_instruct.export.facts import read_facts

        facts = read_facts(run, name, read_tables(folder))
        return {
            "README.md": dataset_card(facts),
            "LICENSE.md": licence_file(facts),
            "croissant.json": croissant(facts),
        }

    return describe
