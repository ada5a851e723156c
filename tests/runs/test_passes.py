"""Models that share a memory: with `unload: true` one is freed before the next is loaded; the records stay the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.clients.local.engine import BatchRow, Engine
from ensemble_instruct.models.clients.local.local import LocalClient
from ensemble_instruct.records import Message, Request, Sampling
from ensemble_instruct.runs.lifecycle import start_or_resume
from ensemble_instruct.runs.progress import Watch
from tests.conftest import rows
from tests.support.servers.model import kind_of
from tests.support.simulated import models as demo_models

_SAYS = {"base": demo_models.base, "a": demo_models.voter_a, "b": demo_models.voter_b}


class ScriptedEngine(Engine):
    """Stands where an engine of this process stands, and says what the simulated models of the demo say."""

    batch_size = 16

    def __init__(self, name: str, happened: list[str]) -> None:
        super().__init__(name)
        self.happened = happened

    def load(self) -> None:
        self.happened.append(f"{self.name} is loaded")

    def free(self) -> None:
        self.happened.append(f"{self.name} is freed")

    def encode(self, messages: Sequence[Message]) -> Sequence[int]:
        return [ord(character) for character in messages[-1].content]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))

    def ends(self, sampling: Sampling) -> frozenset[int]:
        return frozenset({0})

    def generate(self, rows: Sequence[BatchRow]) -> None:
        for row in rows:
            self.happened.append(f"{self.name} is asked")
            prompt = self.decode(row.prompt)
            request = Request(prompt=prompt, sampling=row.sampling, step="instructions", kind=kind_of(prompt))
            for character in f"{_SAYS[self.name](request).text}\0":
                if row.add(ord(character)):
                    break


def config(unloads: Sequence[str], voters: str = "a, b", strategy: str = "balanced", key: str = "unload: true") -> str:
    models = "".join(
        f"  {name}: {{provider: ctranslate2, path: {name}{f', {key}' if name in unloads else ''}}}\n" for name in _SAYS
    )
    return f"""
instructions:
  target: {{input_output: 5, output_only: 4}}
  demonstrations: {{input_output: 6, output_only: 6}}
  window: 4
models:
{models}
roles: {{instructions: base, instances: base, outputs: [{voters}]}}
ensemble: {{strategy: {strategy}}}
licenses: {{policy: any}}
"""


def made(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *unloads: str, **settings: str
) -> tuple[list[str], list[dict[str, Any]], Watch]:
    """What happened in a run, its examples, and what was told of it."""
    happened: list[str] = []

    def client(name: str, section: ModelSection, api_key: str | None) -> LocalClient:
        return LocalClient(name, section, ScriptedEngine(name, happened))

    monkeypatch.setattr("ensemble_instruct.models.clients.local.ctranslate2.CTranslate2Client", client)
    watch = Watch()
    asyncio.run(start_or_resume(parse_config(config(unloads, **settings), "test", folder), folder / "run", watch))
    return happened, rows(folder / "run" / "examples.jsonl"), watch


def order(happened: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(event for event in happened if not event.endswith("asked")))


def test_each_model_is_freed_before_the_next_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together, examples, seen = made(tmp_path / "together", monkeypatch)
    apart, same, seen_apart = made(tmp_path / "apart", monkeypatch, "base", "a", "b")
    assert len(examples) > 3
    assert same == examples
    assert order(apart) == [f"{name} is {what}" for name in ("base", "a", "b") for what in ("loaded", "freed")]
    assert Counter(apart) == Counter(together), "nothing is asked twice"
    assert seen_apart.kept == seen.kept
    assert seen_apart.dropped == seen.dropped


def test_a_card_that_models_share_is_held_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together, examples, _ = made(tmp_path / "together", monkeypatch)
    apart, same, _ = made(tmp_path / "apart", monkeypatch, "base", "a", "b", key="exclusive: card0")
    assert same == examples
    assert order(apart) == [f"{name} is {what}" for name in ("base", "a", "b") for what in ("loaded", "freed")]
    assert Counter(apart) == Counter(together), "nothing is asked twice"


def test_only_those_that_say_so_are_freed_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, examples, _ = made(tmp_path / "together", monkeypatch)
    happened, same, _ = made(tmp_path / "apart", monkeypatch, "base")
    assert same == examples
    assert order(happened)[:2] == ["base is loaded", "base is freed"]
    assert set(order(happened)[2:4]) == {"a is loaded", "b is loaded"}


def test_a_resumed_run_loads_nothing_that_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, examples, _ = made(tmp_path, monkeypatch, "base", "a", "b")
    happened, same, _ = made(tmp_path, monkeypatch, "base", "a", "b")
    assert (happened, same) == ([], examples)


def test_a_model_with_two_parts_stays_for_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened, _, _ = made(tmp_path, monkeypatch, "base", "a", voters="base, a, b")
    assert order(happened)[:4] == ["base is loaded", "base is freed", "a is loaded", "a is freed"]


def test_voters_that_rate_each_other_are_loaded_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, examples, seen = made(tmp_path / "together", monkeypatch, strategy="judged")
    apart, same, seen_apart = made(tmp_path / "apart", monkeypatch, "base", "a", "b", strategy="judged")
    assert len(examples) > 3
    assert same == examples
    loading = [event for event in apart if not event.endswith("asked")]
    assert loading == [f"{name} is {what}" for name in ("base", "a", "b", "a") for what in ("loaded", "freed")]
    asked = [Counter(event for event in events if event.endswith("asked")) for events in (apart, together)]
    assert asked[0] == asked[1], "nothing is asked twice"
    assert seen_apart.kept == seen.kept
    assert seen_apart.dropped == seen.dropped
