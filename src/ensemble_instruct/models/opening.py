"""The models of a run: opened together, watched while they work, closed at the end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict

from ensemble_instruct.concurrency import gather
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.descriptors import left_for_connections, limit
from ensemble_instruct.errors import UsageError
from ensemble_instruct.models.admission.climb import HIGHEST_LIMIT
from ensemble_instruct.models.admission.stragglers import oldest_of
from ensemble_instruct.models.awake import AwakeClock
from ensemble_instruct.models.budget import Budget
from ensemble_instruct.models.clients import make_clients
from ensemble_instruct.models.model import Model
from ensemble_instruct.models.telemetry import telemetry_from_environment
from ensemble_instruct.prompts.folder import Prompts
from ensemble_instruct.records import Profile
from ensemble_instruct.store.costs import PRICES, noted_prices, prices_noted, read_costs
from ensemble_instruct.store.reading import read_meta
from ensemble_instruct.store.store import Store

_STATUS_EVERY = 2.0
"""Seconds between two notes for `status` of how the servers are doing."""

_USUAL = 128
"""Requests at a time that a server may well work on; fewer are told of where the config does not say how many."""

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_models(
    sections: Mapping[str, ModelSection],
    store: Store,
    *,
    check: bool,
    budget: float | None = None,
    allow_code: bool = False,
    profile: Profile = "default",
    prompts: Prompts | None = None,
) -> AsyncIterator[dict[str, Model]]:
    """The models by name, closed at the end. With `check`, each is opened now, else when it is first asked.

    Where one says `unload: true` or `exclusive`, those that run in this process are opened when they are first asked.
    Replies are read as the profile says; `prompts` are how the models are asked, None the bundled ones. `budget` is
    what all starts together may spend, in US dollars. Raises `ConfigError` for a missing key or script, and for
    a model that runs code of others unless `allow_code`, `ModelError` for a server that cannot be reached.
    """
    prices = prices_noted(read_meta(store.reader)) | {name: section.known_price for name, section in sections.items()}
    store.set_meta(**{PRICES: noted_prices(prices)})
    shared = None if budget is None else Budget(budget, read_costs(store.reader, prices).known)
    clients = {name: make_clients(name, section, allow_code=allow_code) for name, section in sections.items()}
    most = _most_in_flight(sections)
    telemetry, clock = telemetry_from_environment(), AwakeClock()
    models = {
        name: Model(
            name,
            section,
            clients[name],
            store,
            budget=shared,
            telemetry=telemetry,
            clock=clock,
            most=most,
            profile=profile,
            prompts=prompts,
        )
        for name, section in sections.items()
    }
    keepers = [asyncio.ensure_future(each) for each in (_keep_status(models, store), clock.keep())]
    try:
        if check:
            await gather(models[name].open() for name in _opened_at_once(sections))
        yield models
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, *(model.close() for model in models.values()), return_exceptions=True)
        _write_status(models, store)
        _log_totals(models)
        if telemetry is not None:
            await asyncio.to_thread(telemetry.close)


def _opened_at_once(sections: Mapping[str, ModelSection]) -> list[str]:
    shares = any(section.unload or section.exclusive for section in sections.values())
    return [name for name, section in sections.items() if not (shares and section.is_local)]


def _most_in_flight(sections: Mapping[str, ModelSection]) -> int:
    """How many requests each server may get at a time, so that all their connections can be open together.

    Raises `UsageError` where they cannot even have one each.
    """
    remote = [section for section in sections.values() if section.provider == "openai"]
    servers = sum(len(section.base_urls) for section in remote)
    if not servers:
        return HIGHEST_LIMIT
    left = left_for_connections()
    beside = f"this process may have {limit()} files and connections open (`ulimit -n`)"
    if left < servers:
        raise UsageError(f"{beside}, too few for {servers} servers; allow more")
    most = min(HIGHEST_LIMIT, left // servers)
    if any(most < (section.max_in_flight or _USUAL) for section in remote):
        log.warning("%s: each of %d servers gets %d requests at a time at most", beside, servers, most)
    return most


async def _keep_status(models: Mapping[str, Model], store: Store) -> None:
    """Let the store know how the servers are doing, for `status`, every few seconds."""
    while True:
        await asyncio.sleep(_STATUS_EVERY)
        _write_status(models, store)
        await store.flush()


def _write_status(models: Mapping[str, Model], store: Store) -> None:
    servers = {name: [asdict(server) for server in model.servers] for name, model in models.items()}
    oldest = oldest_of(model.oldest for model in models.values())
    written = {"process": os.getpid(), "at": time.time(), "models": servers, "oldest": oldest and asdict(oldest)}
    store.set_meta(servers=json.dumps(written))


def _log_totals(models: Mapping[str, Model]) -> None:
    """One line for each model, and one for each server and cause of retries, with their numbers."""
    for name, model in models.items():
        used = {name: value for name, value in asdict(model.usage).items() if name != "retries"}
        log.info("model %s: %d answers", name, model.usage.asked, extra={"model": name, **used})
        for server in model.servers:
            for cause, count in sorted(server.retries.items()):
                place = {"model": name, "server": server.server, "cause": cause, "count": count}
                log.info("model %s at %s: %d tries ended with %s", name, server.server, count, cause, extra=place)
