"""`preview` from Python: what it returns, what it leaves, and what it does where it is stopped or ends early."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ensemble_instruct as ei
from tests.conftest import SIMULATED
from tests.support.servers.model import ModelServer, model_config, model_server

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _spare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where what passes is put: nothing may be left in it."""
    place = tmp_path / "spare"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield
    assert list(place.iterdir()) == []


@pytest.fixture
def hearing() -> Iterator[None]:
    """Ctrl-C is heard: a worker of the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def own_tasks() -> dict[str, Any]:
    """Settings with which the voters of the simulated models answer tasks of one's own."""
    config = ei.load_config(SIMULATED)
    models = {name: {"provider": "scripted", "function": config.models[name].function} for name in config.roles.outputs}
    return {"models": models, "roles": {"outputs": config.roles.outputs}, "licenses": {"tasks": "CC0-1.0"}}


def test_it_returns_what_was_seen_and_prints_as_the_command_does() -> None:
    seen = ei.preview(SIMULATED, rows=1, progress=False)
    assert isinstance(seen, ei.Preview)
    assert [(kind.kind, len(kind.tasks)) for kind in seen.kinds] == [("input_output", 1), ("output_only", 1)]
    assert seen.problem == ""
    text = str(seen)
    assert "\n── task 1 of 1: " in text
    assert "\n  asked      │ Come up with a series of tasks:\n" in text
    assert "a whole run (40 input_output, 30 output_only), if it goes on so" in text
    assert "── task 1 of 1: " in seen._repr_html_()


def test_it_works_where_a_loop_runs_already() -> None:
    async def cell() -> ei.Preview:
        return ei.preview(SIMULATED, rows=1, progress=False)

    assert len(asyncio.run(cell()).kinds) == 2


def test_a_few_of_the_rows_that_are_handed_over_are_voted_on(tmp_path: Path) -> None:
    rows = [{"instruction": f"Name a river, number {number}."} for number in range(7)]
    seen = ei.preview(own_tasks(), rows=2, instances=rows, folder=tmp_path / "few", progress=False)
    (kind,) = seen.kinds
    assert [task.instruction for task in kind.tasks] == ["Name a river, number 0.", "Name a river, number 1."]
    assert all(len(voted.votes) == 2 for task in kind.tasks for voted in task.instances)
    assert {estimate.requests for estimate in seen.whole} == {7}
    again = ei.preview(own_tasks(), rows=2, folder=tmp_path / "few", progress=False)
    assert again == seen, "the folder has kept them"
    assert ei.open_run(tmp_path / "few").state == "finished"


@pytest.mark.usefixtures("hearing")
def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(server: ModelServer) -> None:
        server.wait_until_asked(2)
        os.kill(os.getpid(), signal.SIGINT)

    with model_server(hold_after=1) as server:
        (tmp_path / "my.yaml").write_text(model_config(server.base_url))
        who = threading.Thread(target=interrupt, args=[server])
        who.start()
        with pytest.raises(KeyboardInterrupt, match=r"^stopped; nothing is kept$"):
            ei.preview(tmp_path / "my.yaml", progress=False)
        who.join()
        server.go_on()


def test_what_came_before_the_end_of_the_budget_is_returned(tmp_path: Path) -> None:
    with model_server() as server:
        text = model_config(server.base_url)
        for name in ("base", "voter_a", "voter_b"):
            text = text.replace(f"model: {name}", f"model: {name}, price: {{input: 1000, output: 1000}}")
        (tmp_path / "my.yaml").write_text(text)
        seen = ei.preview(tmp_path / "my.yaml", budget=2, progress=False)
    assert "the budget of 2 USD is used up" in seen.problem
    assert "kept" not in seen.problem
    assert "Step 1, request 1" in str(seen)


@pytest.mark.parametrize(
    ("settings", "what"),
    [({"rows": 0}, "rows is how many tasks"), ({"instances": []}, "rows: holds no task to begin with: it has no row")],
)
def test_what_cannot_be_says_so(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ei.EnsembleInstructError, match=what):
        ei.preview(own_tasks(), progress=False, **settings)
