"""On what terms a server answers: which settings of a request it takes, under which name, and whether as a stream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ensemble_instruct.models.clients.openai.messages import ServerMessage

_NEEDED = ("model", "messages", "prompt", "stream")
"""What no request is without."""
_WITHOUT_EFFECT: Mapping[str, object] = {"top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
"""Values that change no answer, so that nothing is lost where such a setting is left out."""
_LAST = ("stop", "response_format", "temperature")
"""Of several settings that a server does not take together, those that are left out last."""
_NOT_TAKEN = re.compile(
    r"unrecogni|unknown|unsupported|support|permitted|allowed|extra|unexpected|invalid|must|has to|should|cannot"
    r"|can't|deprecated"
    r"|compatible|fixed|range|between|accept|illegal|no such|at most|at least|too many|only|cannot find|available|need"
    r"|expect|forbid|disabl|reject|restrict|require|wrong|less|greater|equal"
    r"|不支持|非法|无效|不允许|必须|只能|未知|错误|不合法|应该",
    re.IGNORECASE,
)
"""How servers say that they do not take a setting, or its value."""
_INSTEAD = re.compile(
    r"expected one of|(supported|allowed|valid|known|permitted) (\w+ )?(parameter|field|argument|propertie|key|name)s",
    re.IGNORECASE,
)
"""What stands before the settings that a server does take."""
_ALIASES: Mapping[str, str] = {
    "stop": "stop([_ ]?(sequence|word|string|token)s?)?", "seed": "(random_)?seed", "top_k": "top[-_ ]?k",
    "top_p": "top[-_ ]?p", "min_p": "min[-_ ]?p",
}  # fmt: skip
"""What servers call a setting that they hand on under another name."""
_NOT_KNOWN = re.compile(
    r"unrecogni|unknown|unsupported|not support|permitted|extra|unexpected|cannot find", re.IGNORECASE
)
"""The same of a setting, whatever its value."""
_STREAMS_ALONE = re.compile(
    r"\bstream\w*\W{0,3} (must|should|has to|needs to) be enabled|only (\w+ ){0,4}stream|non.?stream|stream.?mode"
    r"|enable (the )?stream|streaming (is )?(required|only)|stream.{0,30}\btrue\b"
    r"|stream\W{0,4}(false|input should be|field required)|(use|be) stream(ing|ed)|requires? stream|\bsse\b"
    r"|[仅只].{0,6}流式",
    re.IGNORECASE,
)
"""How they say that they answer as a stream alone."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is left out of a request, or written in another way, for one server."""

    left_out: tuple[tuple[str, str], ...] = ()
    """Settings with what the server said of each."""
    max_tokens_name: str = "max_tokens"
    is_streamed: bool = False

    def fitted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a request as the server takes it."""
        names = {name for name, _ in self.left_out}
        fitted = {self.max_tokens_name if name == "max_tokens" else name: value for name, value in body.items()}
        if self.is_streamed:
            fitted |= {"stream": True, "stream_options": {"include_usage": True}}
        return {name: value for name, value in fitted.items() if name not in names}

    def after(self, said: ServerMessage, sent: Mapping[str, Any]) -> Terms | None:
        """The terms that an error asks for, or None where it asks for no others than those of what was sent."""
        if "max_tokens" in sent and "max_completion_tokens" in said.text and not _is_limit(said.text):
            return replace(self, max_tokens_name="max_completion_tokens")
        if not sent.get("stream") and _STREAMS_ALONE.search(said.text):
            return replace(self, is_streamed=True)
        refused = _refused(said, sent)
        return None if refused is None else replace(self, left_out=(*self.left_out, (refused, said.text)))

    def joined(self, other: Terms) -> Terms:
        """Both terms: requests at the same time may each find out a part."""
        name = next(
            (terms.max_tokens_name for terms in (self, other) if terms.max_tokens_name != "max_tokens"), "max_tokens"
        )
        left_out = dict((*other.left_out, *self.left_out))
        return Terms(tuple(left_out.items()), name, self.is_streamed or other.is_streamed)


def is_of_use(name: str, value: object) -> bool:
    """Whether leaving out a setting can change an answer."""
    return name != "stream_options" and _WITHOUT_EFFECT.get(name, ...) != value


def _is_limit(text: str) -> bool:
    """Whether both names of the setting stand there since its value is too high."""
    return "too large" in text


def _refused(said: ServerMessage, sent: Mapping[str, Any]) -> str | None:
    """The setting to leave out of what was sent, by what the server says of it."""
    settings = [name for name in sent if name not in _NEEDED]
    found = [name for name in settings if name in said.names]
    if not found and _NOT_TAKEN.search(said.text):
        text = _INSTEAD.split(said.text, maxsplit=1)[0]
        found = [name for name in settings if _names(name, text)]
    found = [name for name in found if not _is_length(name) or _NOT_KNOWN.search(said.text)]
    return min(found, key=lambda name: (is_of_use(name, sent[name]), _rank(name), settings.index(name)), default=None)


def _names(name: str, text: str) -> bool:
    """Whether a text names a setting: as a word of its own, also between characters of other scripts."""
    alias = _ALIASES.get(name, re.escape(name))
    return re.search(rf"(?<![A-Za-z0-9_]){alias}(?![A-Za-z0-9_])", text, re.IGNORECASE) is not None


def _is_length(name: str) -> bool:
    """A reply without a limit is another thing: it goes only where the server does not know it at all."""
    return name in ("max_tokens", "max_completion_tokens")


def _rank(name: str) -> int:
    return _LAST.index(name) + 1 if name in _LAST else 0
