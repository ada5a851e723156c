"""A run that is stopped, changed, shared or left alone by its server goes on where it was, or says why it cannot."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.conftest import (
    COMMAND,
    PUBLISHED_RUN,
    SIMULATED,
    Cli,
    needs_shared,
    published_config,
    replay_server,
    rows,
    stats,
)
from tests.support.forks import Forks
from tests.support.processes import PATIENCE, next_line, wait_for, without_progress
from tests.support.servers.model import ModelServer, model_config, model_server

pytestmark = pytest.mark.slow

EXAMPLES = Path("run/examples.jsonl")


@dataclass(frozen=True, slots=True)
class ServedRun:
    """A finished run, to be copied before it is resumed, and the server that it was made with."""

    folder: Path
    config: Path
    server: ModelServer
    needed: int
    """Requests that the run took."""
    asked_before: int
    """Requests that the server had seen when the test began."""

    @property
    def examples(self) -> bytes:
        return (self.folder / "examples.jsonl").read_bytes()

    def copy(self, tmp_path: Path) -> Path:
        return Path(shutil.copytree(self.folder, tmp_path / "run"))

    def asked_since(self) -> int:
        return len(self.server.asked) - self.asked_before


@pytest.fixture(scope="module")
def served_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedRun]:
    place = tmp_path_factory.mktemp("served")
    with model_server() as server:
        config = place / "config.yaml"
        config.write_text(model_config(server.base_url), encoding="utf-8")
        command: list[str | Path] = [COMMAND, "run", config, "--out", place / "run"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield ServedRun(place / "run", config, server, len(server.asked), 0)


@pytest.fixture
def served_run(served_once: ServedRun) -> ServedRun:
    """The finished run, with the requests counted from now on."""
    return replace(served_once, asked_before=len(served_once.server.asked))


def write_config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def answers(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM request").fetchone()[0])


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert text.endswith("\n")
    return text


def test_a_run_folder_is_locked_against_a_second_process(
    forks: Forks, tmp_path: Path, cli: Cli, served_run: ServedRun
) -> None:
    folder = tmp_path / "run"
    with model_server(hold_after=10) as server:
        config = write_config(tmp_path, model_config(server.base_url))
        with forks.at_work(tmp_path, "run", config, "--out", folder) as first:
            server.wait_until_asked(12)
            for arguments in ((config,), ()):
                second = cli("run", *arguments, "--out", folder)
                assert second.returncode == 2
                assert second.stdout == ""
                assert str(folder) in one_line(second.stderr)
                assert "another process" in second.stderr
            assert "running" in cli("status", folder).stdout
            server.go_on()
            _, complaint = first.communicate(timeout=PATIENCE)
            assert first.returncode == 0, complaint
        assert len(server.asked) == served_run.needed
    assert (folder / "examples.jsonl").read_bytes() == served_run.examples


def test_a_finished_run_asks_nothing_and_needs_no_server(tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "run"
    with model_server() as server:
        config = write_config(tmp_path, model_config(server.base_url))
        assert cli("run", config, "--out", folder).returncode == 0
        before = (folder / "examples.jsonl").read_bytes()
    done = cli("run", config, "--out", folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "examples.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("setting", "key", "effect"),
    [
        ("ensemble.min_confidence=0.9", "ensemble.min_confidence", "asks nothing again"),
        ("seed=7", "seed", "asks every step again"),
        ("instructions.window=4", "instructions.window", "what follows in step 1"),
        ("instructions.filters.min_words=2", "instructions.filters.min_words", "asks nothing again"),
        ("instructions.target.input_output=9", "instructions.target.input_output", "only for what is missing"),
        ("models.careful.model=voter_b", "models.careful.model", "answers of step outputs"),
        ("outputs.sampling.max_tokens=100", "outputs.sampling.max_tokens", "answers of step outputs"),
        ("instances.sampling.temperature=0.5", "instances.sampling.temperature", "answers of step instances"),
    ],
)
def test_a_changed_config_is_named_with_its_cost_and_needs_force(
    tmp_path: Path, cli: Cli, served_run: ServedRun, setting: str, key: str, effect: str
) -> None:
    folder = served_run.copy(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".yaml", ".jsonl", ".db")}
    done = cli("run", served_run.config, "--out", folder, "--set", setting)
    assert done.returncode == 2
    assert done.stdout == ""
    for word in (f"{key}: ", effect, "--force", "--out"):
        assert word in one_line(done.stderr)
    assert served_run.asked_since() == 0
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_force_asks_only_what_the_change_needs(tmp_path: Path, cli: Cli, served_run: ServedRun) -> None:
    folder = served_run.copy(tmp_path)
    strict = ("--force", "--set", "ensemble.min_confidence=0.9", "--allow-empty")
    assert cli("run", served_run.config, "--out", folder, *strict).returncode == 0
    assert served_run.asked_since() == 0
    assert min(row["confidence"] for row in rows(folder / "examples.jsonl")) >= 0.9
    assert (folder / "examples.jsonl").read_bytes() != served_run.examples
    done = cli("run", served_run.config, "--out", folder, "--force", "--set", "models.careful.endpoint=completions")
    assert done.returncode == 0, done.stderr
    asked = served_run.server.asked[served_run.asked_before :]
    assert {request.model for request in asked} == {"voter_a"}
    assert (folder / "examples.jsonl").read_bytes() == served_run.examples


def test_after_force_the_folder_remembers_the_new_config_even_if_the_run_is_stopped(
    forks: Forks, tmp_path: Path, cli: Cli
) -> None:
    folder = tmp_path / "run"
    with model_server() as server:
        config = write_config(tmp_path, model_config(server.base_url))
        assert cli("run", config, "--out", folder).returncode == 0
        before = answers(folder)
        server.hold_after(4)
        with forks.at_work(tmp_path, "run", config, "--out", folder, "--force", "--set", "seed=7") as process:
            wait_for(lambda: answers(folder) == before + 4)
            process.kill()
        server.go_on()
        done = cli("run", "--out", folder)
        assert done.returncode == 0, done.stderr
        assert "seed: 7" in (folder / "config.yaml").read_text(encoding="utf-8")


def test_settings_without_effect_need_no_force_and_ask_nothing(tmp_path: Path, cli: Cli, served_run: ServedRun) -> None:
    folder = served_run.copy(tmp_path)
    settings = ("max_in_flight=3", "timeout=9.5", "max_tries=3", "give_up_after=60", "license=MIT", "price.input=2.5")
    done = cli("run", served_run.config, "--out", folder, *(f"--set=models.base.{setting}" for setting in settings))
    assert done.returncode == 0, done.stderr
    assert served_run.asked_since() == 0
    assert (folder / "examples.jsonl").read_bytes() == served_run.examples
    assert "2.5" in (folder / "config.yaml").read_text(encoding="utf-8")
    assert "USD" in cli("status", folder).stdout


@needs_shared
def test_a_raised_target_asks_only_for_what_is_missing(tmp_path: Path, cli: Cli) -> None:
    rounds = rows(PUBLISHED_RUN / "openei.io_instructions.jsonl")[-1]["request_idx"] + 1
    with replay_server() as base_url:
        config = write_config(tmp_path, published_config(base_url))
        half = ("--set", "instructions.target.input_output=50")
        assert cli("run", config, "--out", "run", *half).returncode == 0
        assert 0 < stats(base_url)["step2"] < 60
        assert cli("run", config, "--out", "run", "--force").returncode == 0
        asked = stats(base_url)
    step_1 = asked.pop("step1") + asked.pop("step1:unrecorded")
    assert step_1 == 5 * rounds
    assert asked == {"step2": 101, "step4:flan-t5-xxl": 72, "step4:flan-ul2": 72}
    made = [{name: row[name] for name in ("instruction", "input", "output")} for row in rows(tmp_path / EXAMPLES)]
    assert made == rows(PUBLISHED_RUN / "openei.io.ensemble.published")


def test_a_raised_target_in_the_default_profile_gives_what_a_run_at_once_gives(tmp_path: Path, cli: Cli) -> None:
    with model_server() as server:
        config = write_config(tmp_path, model_config(server.base_url, input_output=24, output_only=0))
        fewer = ("--set", "instructions.target.input_output=12")
        assert cli("run", config, "--out", "run", *fewer).returncode == 0
        assert cli("run", config, "--out", "run", "--force").returncode == 0
        asked = len(server.asked)
        assert cli("run", config, "--out", "at-once").returncode == 0
        needed = len(server.asked) - asked
    raised, at_once = ((tmp_path / name / "examples.jsonl").read_bytes() for name in ("run", "at-once"))
    assert raised == at_once
    assert needed <= asked <= needed + 64  # near its target a run looks less far ahead: these prompts may differ


def test_a_run_resumes_from_its_own_config(forks: Forks, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "run"
    with model_server(hold_after=15) as server:
        config = write_config(tmp_path, model_config(server.base_url))
        with forks.at_work(tmp_path, "run", config, "--out", folder) as process:
            server.wait_until_asked(17)
            process.kill()
        config.unlink()
        server.go_on()
        done = cli("run", "--out", folder)
        assert done.returncode == 0, done.stderr
    assert (folder / "examples.jsonl").exists()


def test_a_config_is_asked_for_where_there_is_no_run(tmp_path: Path, cli: Cli) -> None:
    done = cli("run", "--out", "nothing-here")
    assert done.returncode == 2
    assert "CONFIG" in one_line(done.stderr)
    assert list(tmp_path.iterdir()) == []


@needs_shared
def test_a_run_outlives_its_server(forks: Forks, tmp_path: Path) -> None:
    config, delays = tmp_path / "config.yaml", ("--delay-ms", "10", "--jitter-ms", "10")
    with ExitStack() as stack:
        with replay_server(*delays) as base_url:
            config.write_text(published_config(base_url), encoding="utf-8")
            process = stack.enter_context(forks.at_work(tmp_path, "run", config, "--out", tmp_path / "run"))
            wait_for(lambda: sum(stats(base_url).values()) > 100)
        assert process.poll() is None
        port = base_url.removesuffix("/v1").rpartition(":")[2]
        with replay_server(*delays, "--port", port) as again:
            assert again == base_url
            _, said = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said
            assert 0 < sum(stats(again).values()) < 340 - 100 + 64
    assert "trying again" in said
    assert len(rows(tmp_path / "run" / "examples.jsonl")) == 49


def test_a_second_ctrl_c_is_one_line_and_the_run_resumes(
    forks: Forks, tmp_path: Path, cli: Cli, served_run: ServedRun
) -> None:
    folder = tmp_path / "run"
    with model_server(hold_after=15) as server:
        config = write_config(tmp_path, model_config(server.base_url))
        with forks.at_work(tmp_path, "run", config, "--out", folder) as process:
            wait_for(lambda: (folder / "config.yaml").exists() and answers(folder) == 15)
            process.send_signal(signal.SIGINT)
            assert "requests in flight are coming home" in next_line(process)
            process.send_signal(signal.SIGINT)
            said, complaint = process.communicate(timeout=PATIENCE)
            complaint = without_progress(complaint)
        assert process.returncode == 1
        assert said == ""
        for word in ("stopped", "kept", "same command"):
            assert word in one_line(complaint)
        assert "stopped" in cli("status", folder).stdout
        server.go_on()
        asked = len(server.asked)
        assert cli("run", config, "--out", folder).returncode == 0
        assert len(server.asked) - asked == served_run.needed - 15
    assert (folder / "examples.jsonl").read_bytes() == served_run.examples


def test_a_full_disk_is_one_line_and_the_run_resumes(tmp_path: Path, cli: Cli, finished_run: Path) -> None:
    script = f"ulimit -f 300; exec '{COMMAND}' run {SIMULATED} --out run"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    complaint = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
    assert len(complaint) == 1, done.stderr
    assert complaint[0].startswith("error: ")
    assert not (tmp_path / "run" / "examples.jsonl").exists()
    assert cli("run", SIMULATED, "--out", "run").returncode == 0
    assert (tmp_path / "run" / "examples.jsonl").read_bytes() == (finished_run / "examples.jsonl").read_bytes()


def test_an_error_text_that_no_file_can_hold_does_not_stop_the_run(tmp_path: Path, cli: Cli) -> None:
    with model_server(fault=lambda number, _: (400, "half a pair: \ud83d") if number == 3 else None) as server:
        config = write_config(tmp_path, model_config(server.base_url))
        done = cli("run", config, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "bad_request" in cli("status", "run").stdout


@pytest.mark.parametrize("name", ["notes.txt", "config.yaml"])
def test_a_folder_that_is_no_run_is_refused_and_left_alone(tmp_path: Path, cli: Cli, name: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_text("mine\n", encoding="utf-8")
    done = cli("run", SIMULATED, "--out", folder)
    assert done.returncode == 2
    assert str(folder) in one_line(done.stderr)
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text(encoding="utf-8") == "mine\n"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "mine").write_text("mine\n", encoding="utf-8")
    done = cli("run", SIMULATED, "--out", "mine")
    assert done.returncode == 2
    assert "is a file" in one_line(done.stderr)
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "mine\n"


@pytest.mark.parametrize("command", [("status",), ("export", "--format", "alpaca", "--to", "out.jsonl")])
def test_other_commands_refuse_a_folder_that_is_no_run(tmp_path: Path, cli: Cli, command: tuple[str, ...]) -> None:
    (tmp_path / "mine").mkdir()
    done = cli(command[0], "mine", *command[1:])
    assert done.returncode == 2
    assert "mine" in one_line(done.stderr)
    assert list((tmp_path / "mine").iterdir()) == []
