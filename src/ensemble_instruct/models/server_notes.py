"""What is to be known of the servers of a model: a setting left out, another model behind it, a prompt that was cut.

Each is said once: in the log, and in the store for `status`, also when a run is resumed.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence

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


class ServerNotes:
    """The notes of one model, in this start of a run and those before."""

    def __init__(self, model: str, identity: Sequence[str], store: Store) -> None:
        self._model, self._identity, self._store = model, list(identity), store
        kept = json.loads(store.meta(f"{_META}{model}") or "{}")
        if kept.get("identity") != self._identity:
            kept = {}
        self._said: list[str] = kept.get("said", [])
        self._names: list[str] = kept.get("names", [])
        self._most_tokens = 0
        self._sizes: list[int] = []
        """Bytes of the prompts that have that count."""
        self._is_cut = bool(kept.get("is_cut"))
        self._seen: dict[str, int] = {}

    def see(self, server: str, notes: Sequence[str]) -> None:
        """Say the notes of a client that are new."""
        for note in notes[self._seen.get(server, 0) :]:
            self._say(server, note)
        self._seen[server] = len(notes)

    def answered(self, server: str, request: Request, response: Response) -> None:
        """Say it where another model answers than before, and where the prompt was cut."""
        if response.model and response.model not in self._names and len(self._names) < _MOST_NAMES:
            self._names.append(response.model)
            if len(self._names) == 1:
                self._keep()
            else:
                self._say(
                    server,
                    f"{server} now says that {response.model!r} answers, before it was {self._names[-2]!r}: "
                    f"the answers of this run are of different models",
                )
        if response.prompt_tokens is not None and not self._is_cut:
            self._look_for_cut(server, request.text, response.prompt_tokens + (response.cached_tokens or 0))

    def _look_for_cut(self, server: str, text: str, tokens: int) -> None:
        shown = ""
        may_be = _FEWEST_TOKENS <= tokens < _SHARE * _most_words(text)  # all but few replies end here
        if may_be and tokens < (fewest := fewest_tokens(text)) > self._most_tokens:
            shown = f"it read {tokens:,} tokens of one that has {int(fewest):,} at least"
        if tokens > self._most_tokens:
            self._most_tokens, self._sizes = tokens, []
        if tokens == self._most_tokens and len(self._sizes) < _STUCK:
            self._sizes = sorted((*self._sizes, len(text.encode("utf-8", "replace"))))
            if self._is_stuck(tokens):
                shown = f"it read {tokens:,} tokens of each of {_STUCK} that are not equally long"
        if shown:
            self._is_cut = True
            self._say(
                server,
                f"{server} cuts prompts, by its own count: {shown}; give it a longer context (Ollama: num_ctx), or ask "
                f"for fewer demonstrations",
            )

    def _is_stuck(self, tokens: int) -> bool:
        """Whether the highest count is that of prompts which cannot all have it."""
        is_limit = tokens >= _FEWEST_STUCK and self._sizes[0] >= _BYTES_A_TOKEN * tokens
        return len(self._sizes) == _STUCK and is_limit and self._sizes[-1] >= _UNLIKE * self._sizes[0]

    def _say(self, server: str, note: str) -> None:
        if note not in self._said:
            self._said.append(note)
            log.warning("model %s: %s", self._model, note, extra={"model": self._model, "server": server})
            self._keep()

    def _keep(self) -> None:
        kept = {"identity": self._identity, "said": self._said, "names": self._names, "is_cut": self._is_cut}
        self._store.set_meta(**{f"{_META}{self._model}": json.dumps(kept)})


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
