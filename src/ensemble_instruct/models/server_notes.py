"""What is to be known of the servers of a model: a setting left out, another model behind it, a prompt that was cut.

Each is said once: in the log, and in the store for `status`, also when a run is resumed.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

from ensemble_instruct.records import Request, Response
from ensemble_instruct.store.store import Store

_META = "server_notes "
"""The name in `meta` under which the notes of a model stand, before the name of the model."""
_WORD = re.compile(r"[^\W_]")
"""What makes a word of a piece of text between white space: a letter or a digit."""
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""A character of a script that has no spaces between words."""
_CHARACTERS_A_TOKEN = 6
"""Of such a script, more than any tokenizer has in one token on average."""
_SHARE = 0.75
"""Tokens for a word at least. All but few tokenizers split at spaces first, so that a word is a token or more."""
_FEWEST_WORDS = 100
"""A shorter prompt is cut by no server."""
_FEWEST_TOKENS = 64
"""A count below this is no limit of any server: such a one does not count, and says any number."""
_STUCK = 3
"""Prompts of unlike lengths with one and the same count, the highest of all, that show a limit."""
_FEWEST_STUCK = 256
"""Tokens of such a limit at least."""
_UNLIKE = 1.3
"""How many times as long as the shortest of them the longest one is."""
_BYTES_A_TOKEN = 2
"""Of a prompt that was cut there are more for each token of the limit."""
_MOST_NAMES = 16
"""Names of models that are kept of one model: a router may have many."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kept:
    """What the store knows of one model."""

    identity: list[str]
    said: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """Of the models that have answered, by what the server says."""
    is_cut: bool = False


class ServerNotes:
    """The notes of one model, in this start of a run and those before."""

    def __init__(self, model: str, identity: Sequence[str], store: Store) -> None:
        self._model, self._identity, self._store = model, list(identity), store
        self._seen: dict[str, int] = {}
        """How many notes of each server's client are said."""
        self._most_tokens = 0
        self._sizes: tuple[int, ...] = ()
        """Bytes of the prompts that have that count: of the shortest, those between, and the longest."""

    def see(self, server: str, notes: Sequence[str]) -> None:
        """Say the notes of a client that are new."""
        for note in notes[self._seen.get(server, 0) :]:
            self._say(server, note)
        self._seen[server] = len(notes)

    def answered(self, server: str, request: Request, response: Response) -> None:
        """Say it where another model answers than before, and where the prompt was cut."""
        if response.model:
            self._look_at_name(server, response.model)
        if response.prompt_tokens is not None:
            self._look_for_cut(server, request.text, response.prompt_tokens + (response.cached_tokens or 0))

    @cached_property
    def _kept(self) -> _Kept:
        kept = _Kept(**json.loads(self._store.meta(f"{_META}{self._model}") or '{"identity": []}'))
        return kept if kept.identity == self._identity else _Kept(self._identity)

    def _look_at_name(self, server: str, name: str) -> None:
        names = self._kept.names
        if name in names or len(names) >= _MOST_NAMES:
            return
        names.append(name)
        if len(names) == 1:
            self._keep()
        else:
            self._say(
                server,
                f"{server} now says that {name!r} answers, before it was {names[-2]!r}: "
                f"the answers of this run are of different models",
            )

    def _look_for_cut(self, server: str, text: str, tokens: int) -> None:
        shown = ""
        may_be = _FEWEST_TOKENS <= tokens < _SHARE * _most_words(text)  # all but few replies end here
        if may_be and tokens < (fewest := fewest_tokens(text)) > self._most_tokens:
            shown = f"it read {tokens:,} tokens of one that has {int(fewest):,} at least"
        if tokens >= self._most_tokens and self._is_stuck(text, tokens):
            shown = f"it read {tokens:,} tokens of each of {_STUCK} that are not equally long"
        if shown and not self._kept.is_cut:
            self._kept.is_cut = True
            self._say(
                server,
                f"{server} cuts prompts, by its own count: {shown}; give it a longer context (Ollama: num_ctx), or ask "
                f"for fewer demonstrations",
            )

    def _is_stuck(self, text: str, tokens: int) -> bool:
        """Whether the highest count is now that of prompts which cannot all have it."""
        others = self._sizes if tokens == self._most_tokens else ()
        sizes = sorted((*others, len(text.encode("utf-8", "replace"))))
        self._most_tokens, self._sizes = tokens, (sizes[0], *sizes[1:-1][: _STUCK - 2], *sizes[1:][-1:])
        is_limit = tokens >= _FEWEST_STUCK and sizes[0] >= _BYTES_A_TOKEN * tokens
        return len(sizes) >= _STUCK and is_limit and sizes[-1] >= _UNLIKE * sizes[0]

    def _say(self, server: str, note: str) -> None:
        if note not in self._kept.said:
            self._kept.said.append(note)
            log.warning("model %s: %s", self._model, note, extra={"model": self._model, "server": server})
            self._keep()

    def _keep(self) -> None:
        self._store.set_meta(**{f"{_META}{self._model}": json.dumps(asdict(self._kept))})


def _most_words(text: str) -> int:
    """At least as many as `fewest_tokens` counts, found out faster."""
    return text.count(" ") + text.count("\n") + text.count("\t") + 1 + (0 if text.isascii() else len(text))


def fewest_tokens(text: str) -> float:
    """Fewer tokens than this no tokenizer makes of a text, whatever its language; 0 for a short one.

    Signs and white space do not count, of which a long row may be one token.
    """
    words = sum(1 for piece in text.split() if _WORD.search(piece))
    words += len(_WITHOUT_SPACES.findall(text)) // _CHARACTERS_A_TOKEN
    return _SHARE * words if words >= _FEWEST_WORDS else 0.0


def notes_of(meta: Mapping[str, str]) -> tuple[str, ...]:
    """All notes of a run, by what its store has in `meta`."""
    return tuple(
        f"model {name.removeprefix(_META)}: {note}"
        for name in sorted(meta)
        if name.startswith(_META)
        for note in json.loads(meta[name])["said"]
    )
