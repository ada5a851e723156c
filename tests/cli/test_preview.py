"""`preview`: a few tasks through all steps, shown as one reads them; nothing stays behind, and nothing harms."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ensemble_instruct.invisible import harmless
from tests.conftest import SIMULATED
from tests.support.forks import Forks, tree
from tests.support.processes import started, terminal_environment
from tests.support.servers.model import model_config, model_server
from tests.support.servers.reply import prompt_of, refused, said, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def spare(tmp_path: Path) -> dict[str, str]:
    """Where a command may put what passes: an empty folder."""
    (tmp_path / "spare").mkdir()
    return {"TMPDIR": str(tmp_path / "spare")}


def is_empty(spare: dict[str, str]) -> bool:
    return not list(Path(spare["TMPDIR"]).iterdir())


def test_it_shows_what_was_asked_what_came_what_was_read_and_what_a_run_would_take(
    forks: Forks, tmp_path: Path, spare: dict[str, str]
) -> None:
    before = tree(tmp_path)
    done = forks.run(tmp_path, ["preview", SIMULATED, "--rows", "3"], env=spare)
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path) == before, "nothing is left behind"
    for kind in ("input_output", "output_only"):
        shown = done.stdout.split(f"══ {kind} ══")[1].partition("══")[0]
        parts = (
            "Step 1, request 1: simulated-base writes tasks", "  asked      │ Come up with a series of tasks:",
            "  came       │ ", "  read       │ + ", "── task 1 of 3: ",
            "Step 2: simulated-base writes a worked example", "Step 4: the voters answer", "simulated-a", "simulated-b",
            "Step 5: ", "── task 3 of 3: ",
        )  # fmt: skip
        places = [shown.find(part) for part in parts]
        assert -1 not in places, parts[places.index(-1)]
        assert shown.count("── task ") == 3
    assert "whole run (40 input_output, 30 output_only)" in done.stdout
    assert re.search(r"^about \d+ examples; about ", done.stdout, re.MULTILINE)


def test_what_a_whole_run_would_take_follows_from_what_was_seen(forks: Forks, tmp_path: Path) -> None:
    done = forks.run(tmp_path, ["preview", SIMULATED, "--json"])
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["is_seen"]
    used = {(use["step"], use["kind"], use["model"]): use for use in seen["uses"]}
    for row in seen["whole"]:
        use, target = used[row["step"], row["kind"], row["model"]], {"input_output": 40, "output_only": 30}[row["kind"]]
        if row["step"] != "instructions":
            assert row["requests"] == -(-use["answers"] * target // 3)
            each = row["requests"] / use["answers"]
            assert row["prompt_tokens"] == pytest.approx(use["prompt_tokens"] * each, abs=1)
    tasks = [task for kind in seen["kinds"] for task in kind["tasks"]]
    assert len(tasks) == 6
    assert all(task["worked"]["read"] for task in tasks)


def test_what_is_dropped_says_why(forks: Forks, tmp_path: Path) -> None:
    def base(body: dict[str, Any], _: int) -> web.Response:
        prompt = prompt_of(body)
        if prompt.startswith("Come up"):
            return said(f" Draw a picture of the harbour {body['seed']}." if body["seed"] % 2 else " Name a big river.")
        return said("nothing of use" if "\ninstruction: " in prompt else "Ob")

    with serving(base) as served:
        (tmp_path / "my.yaml").write_text(model_config(served.base_url))
        done = forks.run(tmp_path, ["preview", "my.yaml", "--rows", "2"])
    assert done.returncode == 1
    assert "- Draw a picture of the harbour" in done.stdout
    assert "[needs_more_than_text: text alone cannot answer it" in done.stdout
    assert "[no_output: no output could be found in the completion" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("error: no task became an example; ")


def test_a_folder_keeps_it_for_the_other_commands_and_for_no_whole_run(
    forks: Forks, tmp_path: Path, finished_run: Path
) -> None:
    def preview() -> Any:
        return forks.run(tmp_path, ["preview", SIMULATED, "--rows", "2", "--out", "few"])

    first = preview()
    assert first.returncode == 0, first.stderr
    assert "kept in few; look at it with: ensemble-instruct view few" in first.stdout
    assert "finished; " in forks.run(tmp_path, ["status", "few"]).stdout
    assert forks.run(tmp_path, ["report", "few"]).returncode == 0
    before = (tmp_path / "few" / "examples.jsonl").read_bytes()
    assert preview().returncode == 0, "the same command again shows the same"
    assert (tmp_path / "few" / "examples.jsonl").read_bytes() == before
    for arguments in (["run", SIMULATED, "--out", "few"], ["run", "--out", "few", "--force"]):
        done = forks.run(tmp_path, arguments)
        assert (done.returncode, done.stderr) == (
            2, "error: few: is the preview of a run; name another folder with --out\n"
        )  # fmt: skip
    shutil.copytree(finished_run, tmp_path / "whole")
    done = forks.run(tmp_path, ["preview", SIMULATED, "--out", "whole"])
    assert (done.returncode, done.stderr) == (
        2, "error: whole: is a whole run, not a preview; name another folder with --out\n"
    )  # fmt: skip


def test_what_a_server_says_harms_no_terminal(forks: Forks, tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\x08[bold]"

    def answering(body: dict[str, Any], _: int) -> web.Response:
        if prompt_of(body).startswith("Come up"):
            return said(f" Name a river near {evil} number {body['seed']}.")
        return said(f"input: {evil}\noutput: {evil} x" if "\ninstruction: " in prompt_of(body) else f"{evil} x")

    with serving(answering) as served:
        (tmp_path / "my.yaml").write_text(model_config(served.base_url))
        done = forks.run(tmp_path, ["preview", "my.yaml", "--rows", "1"])
    assert "\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u202e\\x08[bold]" in done.stdout
    assert not set(done.stdout) & set("\x1b\x07\x9b\u202e\x08")


def test_only_what_can_do_no_harm_is_shown_as_it_is() -> None:
    assert harmless("Grüße, 你好 👩\u200d🔬\n\tend\r\n") == "Grüße, 你好 👩\u200d🔬\n\tend\n"
    assert harmless("a\rb\x00\ud800\u2066") == "a\\rb\\x00\\ud800\\u2066"


@pytest.mark.parametrize(
    ("answering", "why"),
    [(lambda *_: refused("no such key", 401), "key"), (lambda *_: refused("no such model", 404), "model")],
)
def test_a_server_that_answers_nothing_is_one_line(
    forks: Forks, tmp_path: Path, spare: dict[str, str], answering: Callable[..., Any], why: str
) -> None:
    with serving(answering) as served:
        (tmp_path / "my.yaml").write_text(model_config(served.base_url))
        done = forks.run(tmp_path, ["preview", "my.yaml"], env=spare)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert why in line
    assert spare["TMPDIR"] not in done.stderr
    assert is_empty(spare)


def test_what_came_before_the_budget_was_used_up_is_shown(forks: Forks, tmp_path: Path, spare: dict[str, str]) -> None:
    with model_server() as server:
        priced = re.sub(r"(model: \w+)", r"\1, price: {input: 1000, output: 1000}", model_config(server.base_url))
        (tmp_path / "my.yaml").write_text(priced)
        done = forks.run(tmp_path, ["preview", "my.yaml", "--budget", "2"], env=spare)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "the budget of 2 USD is used up" in last
    assert last.endswith(": run the same command again with a higher --budget")
    assert "kept" not in last
    assert "Step 1, request 1" in done.stdout
    assert is_empty(spare)


every_signal = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGHUP reaches the commands that a test starts, also where the tests run under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def stopped(folder: Path, spare: dict[str, str], number: signal.Signals, times: int) -> tuple[int, str, str]:
    """A preview that gets a signal in its middle: its exit code, and what it printed."""
    with model_server(hold_after=1) as server:
        (folder / "my.yaml").write_text(model_config(server.base_url))
        with started(folder, "preview", "my.yaml", env={**terminal_environment(), **spare}) as process:
            server.wait_until_asked(2)
            assert not is_empty(spare)
            for _ in range(times):
                process.send_signal(number)
            output, errors = process.communicate()
        server.go_on()
    return process.returncode, output, errors


@pytest.mark.usefixtures("heard")
@every_signal
def test_one_that_is_stopped_leaves_nothing_behind(
    tmp_path: Path, spare: dict[str, str], number: signal.Signals
) -> None:
    code, output, errors = stopped(tmp_path, spare, number, times=1)
    assert (code, output) == (1, "")
    assert errors.splitlines()[-1] == "error: stopped; nothing is kept"
    assert is_empty(spare)


@pytest.mark.usefixtures("heard")
@every_signal
def test_one_that_is_stopped_twice_leaves_nothing_behind_either(
    tmp_path: Path, spare: dict[str, str], number: signal.Signals
) -> None:
    _, output, _ = stopped(tmp_path, spare, number, times=2)
    assert output == ""
    assert is_empty(spare)


def test_what_a_killed_preview_left_goes_with_a_later_one(forks: Forks, tmp_path: Path, spare: dict[str, str]) -> None:
    old, young = (Path(spare["TMPDIR"]) / f"ensemble-instruct-preview-{name}" for name in ("old", "young"))
    for folder in (old, young):
        (folder / "run").mkdir(parents=True)
        (folder / "run" / "run.db").write_text("half of it")
    os.utime(old, (1, 1))
    assert forks.run(tmp_path, ["preview", SIMULATED, "--rows", "1"], env=spare).returncode == 0
    assert list(Path(spare["TMPDIR"]).iterdir()) == [young], "that one may be of a preview that goes on"


def test_it_prints_where_there_is_ascii_alone(tmp_path: Path) -> None:
    with started(
        tmp_path, "preview", SIMULATED, env={**terminal_environment(), "PYTHONIOENCODING": "ascii"}
    ) as process:
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert output.isascii()
    assert "\\u2502 Come up with a series of tasks:" in output
