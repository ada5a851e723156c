"""What a model costs: as the config says, as it was looked up by the model's name, or nothing where it runs here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from ensemble_instruct.config.section import Section
from ensemble_instruct.records import Response

Origin = Literal["config", "local", "looked up"]
"""Who says it: the config, nobody (what runs in this process costs nothing), the package `genai-prices`."""
_SOLD_ONLY = re.compile(
    r"(.*/)?(chatgpt|claude|gemini|gpt-(?!oss|neo|j\b)|grok-[3-9]|o[134](-|$)|deepseek-(chat|reasoner)$"
    r"|(ministral|mistral)-\w+-latest|codestral-latest|sonar)",
    re.IGNORECASE,
)
"""Names of models that their makers alone run: at an address that is not known, a gateway to them answers."""


class Price(Section):
    """US dollars per million tokens.

    What is null is looked up by the model's name, where the extra `prices` is installed; else it is not known. A model
    in this process costs nothing unless a price is given.
    """

    input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """US dollars for a million tokens of prompts."""
    output: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """US dollars for a million tokens of replies."""
    cached: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """US dollars for a million tokens of prompts that the server had read before; null: as `input`."""
    reasoning: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """US dollars for a million tokens of thoughts; null: as `output`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPrice:
    """What a model costs, in US dollars per million tokens of each sort."""

    input: float
    output: float
    cached: float
    reasoning: float
    origin: Origin

    @property
    def is_free(self) -> bool:
        """Whether nothing that is asked can cost anything."""
        return not any((self.input, self.output, self.cached, self.reasoning))

    def cost(self, prompt: float, completion: float, cached: float = 0, reasoning: float = 0) -> float:
        """US dollars for that many tokens; those that were cached or thought are among the others."""
        plain = max(0, prompt - cached) * self.input + max(0, completion - reasoning) * self.output
        return (plain + cached * self.cached + reasoning * self.reasoning) / 1e6

    def most(self, prompt: float, completion: float) -> float:
        """The most that these tokens can cost, in US dollars, of whatever sort they are."""
        return (prompt * max(self.input, self.cached) + completion * max(self.output, self.reasoning)) / 1e6


def response_cost(price: KnownPrice | None, response: Response, asked: str) -> float | None:
    """What a response costs, in US dollars, as the server states it or by the price; None where neither is known."""
    if response.cost is not None or price is None:
        return response.cost
    used = response.used_tokens(asked)
    return price.cost(*used, response.cached_tokens or 0, response.reasoning_tokens or 0)


def known_price(price: Price, model: str, servers: Sequence[str]) -> KnownPrice | None:
    """The price of a model at its servers, by what the config says of it; None where a part of it is not known.

    A model without a server runs in this process. On this machine, what is left out of a price that is given is 0.
    """
    if (given := given_price(price)) is not None:
        return given
    if not servers or (price != Price() and all(map(is_here, servers))):
        return _priced(price, price.input or 0.0, price.output or 0.0, "local")
    found = _looked_up(model, servers[0])
    return None if found is None else replace(found, **price.model_dump(exclude_none=True))


def given_price(price: Price) -> KnownPrice | None:
    """The price that the config gives, or None where it leaves a part open."""
    if price.input is None or price.output is None:
        return None
    return _priced(price, price.input, price.output, "config")


def _priced(price: Price, tokens_in: float, tokens_out: float, origin: Origin) -> KnownPrice:
    return KnownPrice(
        input=tokens_in,
        output=tokens_out,
        cached=tokens_in if price.cached is None else price.cached,
        reasoning=tokens_out if price.reasoning is None else price.reasoning,
        origin=origin,
    )


def is_here(server: str) -> bool:
    """Whether an address is one of this machine: what answers there mostly costs nothing, but may be a gateway."""
    host = (urlsplit(server).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@lru_cache(64)
def _looked_up(model: str, server: str) -> KnownPrice | None:
    """The price in the data that `genai-prices` comes with: at this address, or of a model that only its maker runs."""
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    usage = Usage(input_tokens=1, output_tokens=1)
    try:
        found = calc_price(usage, model, provider_api_url=server)
    except LookupError:
        if not _SOLD_ONLY.match(model):
            return None
        try:
            found = calc_price(usage, model.rpartition("/")[2])
        except LookupError:
            return None
    return _priced_by(found.model_price)


def _priced_by(prices: Any) -> KnownPrice | None:
    """A price of `genai-prices`; None where it is not by tokens alone. Of tiers the first: prompts here are short."""

    def dollars(name: str) -> float | None:
        value = getattr(prices, name, None)
        return None if value is None else float(getattr(value, "base", value))

    tokens_in, tokens_out = dollars("input_mtok"), dollars("output_mtok")
    if tokens_in is None or tokens_out is None or dollars("requests_kcount"):
        return None
    extra = Price(cached=dollars("cache_read_mtok"), reasoning=dollars("output_reasoning_mtok"))
    return _priced(extra, tokens_in, tokens_out, "looked up")
