"""What the tries of a run took: tokens and US dollars by model, those that were paid for nothing too."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from yaml import YAMLError

from ensemble_instruct.config.servers.prices import KnownPrice, Price, given_price
from ensemble_instruct.config.spelling import LONGEST, read_yaml
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.records import Kind, Step

COST_SUMS = (
    "COALESCE(SUM(cost), 0.0),"
    " COALESCE(SUM(CASE WHEN cost IS NULL THEN prompt_tokens END), 0),"
    " COALESCE(SUM(CASE WHEN cost IS NULL THEN completion_tokens END), 0),"
    " COALESCE(SUM(CASE WHEN cost IS NULL THEN cached_tokens END), 0),"
    " COALESCE(SUM(CASE WHEN cost IS NULL THEN reasoning_tokens END), 0)"
)
"""Columns for `Spent`, over rows of `request` or `attempt`."""
PRICES = "prices"
"""The name in `meta` of the prices of a run's models as they were when it was last started."""
_WASTED = f"""
    SELECT model, step, kind, cause, COUNT(*), SUM(prompt_tokens), SUM(completion_tokens), SUM(estimated), {COST_SUMS}
    FROM attempt GROUP BY model, step, kind, cause ORDER BY MIN(rowid)
"""  # noqa: S608 - a constant text


@dataclass(frozen=True, slots=True)
class Spent:
    """What some tries cost, as far as it is known without prices."""

    stated: float = 0.0
    """US dollars, as servers state them."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    """Tokens of the tries without."""

    def cost(self, price: KnownPrice | None) -> float | None:
        """US dollars in all; None where tokens were used whose price is not known."""
        tokens = (self.prompt_tokens, self.completion_tokens, self.cached_tokens, self.reasoning_tokens)
        if price is None:
            return None if any(tokens) else self.stated
        return self.stated + price.cost(*tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wasted:
    """Tries of one model in one step for one kind that were paid, or may have been, and gave no answer."""

    model: str
    step: Step
    kind: Kind
    cause: str
    tries: int
    prompt_tokens: int
    completion_tokens: int
    estimated: int
    """Tries of which the server did not say what it had made: the most that it can have made is counted."""
    cost: float | None
    """US dollars; None where that is not known."""


@dataclass(frozen=True, slots=True)
class RunCosts:
    """What all tries of a run have cost."""

    by_model: Mapping[str, float | None]
    """US dollars; None where that is not known."""
    wasted: tuple[Wasted, ...]
    """Those of them that gave no answer."""
    looked_up: tuple[str, ...]
    """The models whose price is not the config's."""

    @property
    def known(self) -> float:
        """US dollars in all, as far as they are known."""
        return sum(cost or 0.0 for cost in self.by_model.values())

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The models of which it is not known what they cost."""
        return tuple(model for model, cost in self.by_model.items() if cost is None)

    @property
    def wasted_tries(self) -> int:
        """How many tries gave no answer."""
        return sum(one.tries for one in self.wasted)

    @property
    def wasted_tokens(self) -> int:
        """Tokens of these."""
        return sum(one.prompt_tokens + one.completion_tokens for one in self.wasted)


def read_wasted(connection: sqlite3.Connection, prices: Mapping[str, KnownPrice | None]) -> tuple[Wasted, ...]:
    """What was paid for nothing, in the order in which it began."""

    def wasted(row: tuple[Any, ...]) -> Wasted:
        model, step, kind, cause, tries, prompt_tokens, completion_tokens, estimated, *sums = row
        return Wasted(
            model=model,
            step=step,
            kind=kind,
            cause=cause,
            tries=tries,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            estimated=estimated,
            cost=Spent(*sums).cost(prices.get(model)),
        )

    return tuple(map(wasted, connection.execute(_WASTED)))


def read_costs(connection: sqlite3.Connection, prices: Mapping[str, KnownPrice | None]) -> RunCosts:
    """What all tries of all starts of a run have cost."""
    tries = " UNION ALL ".join(
        f"SELECT model, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost FROM {table}"  # noqa: S608
        for table in ("request", "attempt")
    )
    rows = connection.execute(f"SELECT model, {COST_SUMS} FROM ({tries}) GROUP BY model")  # noqa: S608
    by_model = {model: Spent(*sums).cost(prices.get(model)) for model, *sums in rows}
    looked_up = (model for model in by_model if (price := prices.get(model)) and price.origin == "looked up")
    return RunCosts(by_model, read_wasted(connection, prices), tuple(looked_up))


def _prices_in(path: Path) -> dict[str, Price]:
    """The prices in a run's config; those that can be read, where it was edited and is none any more."""
    try:
        with path.open(encoding="utf-8") as file:
            config, _ = read_yaml(file.read(LONGEST + 1), str)
    except (OSError, ConfigError, YAMLError, ValueError, RecursionError):
        return {}
    models = config.get("models") if isinstance(config, dict) else None
    found: dict[str, Price] = {}
    for name, model in models.items() if isinstance(models, dict) else ():
        with suppress(ValidationError):
            found[name] = Price.model_validate((model.get("price") if isinstance(model, dict) else None) or {})
    return found


def costs_kept(model: str, price: KnownPrice) -> list[str]:
    """Statements that write down what the tries of a model have cost, where it is known by its price alone."""
    cached, thought = "COALESCE(cached_tokens, 0)", "COALESCE(reasoning_tokens, 0)"
    plain = (
        f"MAX(0, prompt_tokens - {cached}) * {price.input!r} + MAX(0, completion_tokens - {thought}) * {price.output!r}"
    )
    cost = f"({plain} + {cached} * {price.cached!r} + {thought} * {price.reasoning!r}) / 1e6"
    name = model.replace("'", "''")
    return [
        f"UPDATE {table} SET cost = {cost} WHERE model = '{name}' AND cost IS NULL AND prompt_tokens IS NOT NULL"  # noqa: S608
        for table in ("request", "attempt")
    ]


def sum_of_costs(costs: Iterable[float | None]) -> float | None:
    """The sum, which is not known where one of them is not."""
    total = 0.0
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total


def noted_prices(prices: Mapping[str, KnownPrice | None]) -> str:
    """Prices as a text for `meta`."""
    return json.dumps({name: None if price is None else asdict(price) for name, price in prices.items()})


def prices_noted(meta: Mapping[str, str]) -> dict[str, KnownPrice | None]:
    """The prices of a run's models as they were noted at its starts."""
    noted: dict[str, dict[str, Any] | None] = json.loads(meta.get(PRICES, "{}"))
    return {name: None if price is None else KnownPrice(**price) for name, price in noted.items()}


def prices_of_run(folder: Path, meta: Mapping[str, str]) -> dict[str, KnownPrice | None]:
    """The prices of a run's models: as its config gives them, else as they were noted at its starts."""
    prices = prices_noted(meta)
    for name, price in _prices_in(folder / "config.yaml").items():
        if (given := given_price(price)) is not None:
            prices[name] = given
        elif (noted := prices.get(name)) is not None:
            prices[name] = replace(noted, **price.model_dump(exclude_none=True))
    return prices
