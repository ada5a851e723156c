"""What can be seen of the servers of a run: `status`, `check`, `--log-file`, `--log-format`, OpenTelemetry."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from ensemble_instruct.runs.status import read_status
from tests.conftest import rows
from tests.support.forks import Forks, tree, unwritable
from tests.support.good_input import TASK, write
from tests.support.processes import PATIENCE, told_to_stop, wait_for
from tests.support.servers.collector import collecting, plain
from tests.support.servers.model import model_config, model_server
from tests.support.servers.reply import Reply, prompt_of, refused, said, serving

KEY = "sk-Zq81-never-to-be-seen"
TASKS = 12
COMMANDS = {
    "run": "run config.yaml --out run",
    "instructions": "instructions config.yaml --kind input_output --to out.jsonl",
    "instances": "instances config.yaml --kind input_output --instructions tasks.jsonl --to out.jsonl",
    "outputs": "outputs config.yaml --model careful --instances tasks.jsonl --to out.jsonl",
}
OUTPUTS = COMMANDS["outputs"].split()
SERVER_LINE = re.compile(
    r"^  server (\S+): (?:(open|away), (\d+) in flight of (\d+), )?"
    r"latency \d+\.\d\d s \(90 % \d+\.\d\d, 99 % \d+\.\d\d\)(?:; tried again after (.+))?$",
    re.MULTILINE,
)
TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING) (\S.*)")
FAULTS = {1: (500, "a fault"), 3: (429, "slow down"), 4: (429, "slow down")}

every_command = pytest.mark.parametrize("command", COMMANDS)


def configure(folder: Path, base_url: str, **replica: str) -> None:
    """A config, and tasks for steps 2 and 4; `replica` gives a model a second server."""
    config = model_config(base_url)
    for name, url in replica.items():
        config = config.replace(f"{name}: {{base_url: {base_url}", f"{name}: {{base_url: [{base_url}, {url}]")
    (folder / "config.yaml").write_text(config)
    asked = "Name the capital city of this country"
    write(folder / "tasks.jsonl", *({**TASK, "instruction": f"{asked} ({number})."} for number in range(TASKS)))


def once(number: int, _: str) -> tuple[int, str] | None:
    """A few faults among the first requests."""
    return FAULTS.get(number)


@pytest.mark.parametrize(("command", "form"), [*((name, "json") for name in COMMANDS), ("run", "text")])
def test_every_line_can_be_read_and_faults_are_counted(forks: Forks, tmp_path: Path, command: str, form: str) -> None:
    with model_server(fault=once) as server:
        configure(tmp_path, server.base_url)
        done = forks.run(tmp_path, [*COMMANDS[command].split(), "--log-file", "a.log", "--log-format", form])
    assert done.returncode == 0, done.stderr
    name = {"outputs": "careful"}.get(command, "base")
    causes = {"429": 2, "500": 1}
    warned, told = done.stderr.splitlines(), (tmp_path / "a.log").read_text(encoding="utf-8").splitlines()
    assert len(warned) == len(causes)
    if form == "json":
        written = rows(tmp_path / "a.log")
        assert all({"time", "level", "logger", "message"} <= row.keys() for row in written)
        warnings = [row for row in written if row["level"] == "warning"]
        assert warnings == [json.loads(line) for line in warned]
        assert sorted(row["cause"] for row in warnings) == sorted(causes)
        assert {(row["model"], row["server"]) for row in warnings} == {(name, server.base_url)}
        counts = {(row["model"], row["server"], row["cause"]): row["count"] for row in written if "count" in row}
        assert counts == {(name, server.base_url, cause): count for cause, count in causes.items()}
        totals = {row["model"]: row for row in written if "asked" in row}
        assert sum(row["asked"] for row in totals.values()) == len(server.asked) - sum(causes.values())
        assert totals[name]["prompt_tokens"] > 0
    else:
        found = [TEXT_LINE.fullmatch(line) for line in told]
        assert all(found)
        assert Counter(match[1] for match in found if match)["WARNING"] == len(causes)
        for cause, count in causes.items():
            place = f"model={name} server={server.base_url} cause={cause}"
            assert sum(place in line for line in told if " WARNING " in line) == 1
            assert [line for line in told if line.endswith(f"{place} count={count}")]
        assert all(line.startswith(f"warning: model {name} at {server.base_url}: HTTP ") for line in warned)


def test_each_replica_warns_once_for_each_cause(forks: Forks, tmp_path: Path) -> None:
    answered: Counter[int] = Counter()

    def faulty(server: int) -> Callable[[dict[str, Any], int], Reply]:
        def answering(*_: Any) -> Reply:
            answered[server] += 1
            return {1: refused("a fault", 500), 2: refused("slow", 429), 3: refused("a fault", 500)}.get(
                answered[server], said("yes")
            )

        return answering

    with serving(faulty(1)) as first, serving(faulty(2)) as second:
        configure(tmp_path, first.base_url, careful=second.base_url)
        done = forks.run(tmp_path, [*OUTPUTS, "--log-file", "a.log", "--log-format", "json"])
    assert done.returncode == 0, done.stderr
    warned = [json.loads(line) for line in done.stderr.splitlines()]
    pairs = [(row["server"], row["cause"]) for row in warned]
    expected = {(url, cause) for url in (first.base_url, second.base_url) for cause in ("429", "500")}
    assert len(pairs) == len(expected)
    assert set(pairs) == expected
    counts = {(row["server"], row["cause"]): row["count"] for row in rows(tmp_path / "a.log") if "count" in row}
    assert counts == {(url, cause): 2 if cause == "500" else 1 for url, cause in expected}


def test_a_run_is_told_from_its_start_to_its_end_and_the_next_start_is_added(forks: Forks, tmp_path: Path) -> None:
    with model_server() as server:
        configure(tmp_path, server.base_url)
        command = [*COMMANDS["run"].split(), "--log-file", "a.log", "--log-format", "json"]
        for _ in range(2):
            done = forks.run(tmp_path, command)
            assert (done.returncode, done.stderr) == (0, "")
    messages = [row["message"] for row in rows(tmp_path / "a.log")]
    assert [message for message in messages if message.startswith("run ")] == [
        "run started", "run finished", "run resumed", "run finished",
    ]  # fmt: skip
    replayed = [row["replayed"] for row in rows(tmp_path / "a.log") if "replayed" in row]
    assert sum(replayed[:3]) == 0
    assert sum(replayed[3:]) == len(server.asked)


SAYINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda prompt: f"bad request {prompt}",
    "stripped": lambda prompt: f"bad request '{prompt.strip()}'",
    "as a literal": lambda prompt: f"bad request {prompt!r}",
}


@pytest.mark.parametrize(
    ("given", "saying"), [("", "as it is"), ("", "stripped"), ("France", "as it is"), ("France", "as a literal")]
)
def test_a_server_that_repeats_prompt_and_key_puts_neither_into_the_log(
    forks: Forks, tmp_path: Path, given: str, saying: str
) -> None:
    """The prompts of step 4 are short enough for an error message to hold one whole."""

    def answering(body: dict[str, Any], tries: int) -> Reply:
        return refused(f"{SAYINGS[saying](prompt_of(body))} from {KEY}", 500) if tries == 1 else said("Paris")

    with serving(answering) as served:
        configure(tmp_path, served.base_url)
        write(tmp_path / "tasks.jsonl", {**TASK, "input": given})
        done = forks.run(tmp_path, [*OUTPUTS, "--log-file", "a.log"], {"OPENAI_API_KEY": KEY})
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "a.log").read_text(encoding="utf-8") + done.stderr
    assert "bad request" in written
    assert KEY not in written
    assert TASK["instruction"] not in written


@every_command
@pytest.mark.parametrize("place", ["folder", "no/such/folder/a.log", "locked/a.log"])
def test_a_log_file_that_cannot_be_written_is_refused_before_anything_starts(
    forks: Forks, tmp_path: Path, command: str, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    file = unwritable(tmp_path / "locked") / "a.log" if place.startswith("locked") else Path(place)
    with serving(lambda *_: said("x")) as served:
        configure(tmp_path, served.base_url)
        told = forks.refused(tmp_path, *COMMANDS[command].split(), "--log-file", file)
        assert served.paths == []
    assert f"{file}: cannot be written: " in told
    assert "--log-file" in told


def test_an_unknown_format_is_refused(forks: Forks, tmp_path: Path) -> None:
    configure(tmp_path, "http://127.0.0.1:9/v1")
    assert "--log-format" in forks.refused(tmp_path, *OUTPUTS, "--log-format", "xml")


@pytest.mark.parametrize(("command", "form"), [*((name, "text") for name in COMMANDS), ("run", "json")])
def test_an_error_stays_one_line_on_stderr(forks: Forks, tmp_path: Path, command: str, form: str) -> None:
    with serving(lambda *_: refused("Unauthorized", 401)) as served:
        configure(tmp_path, served.base_url)
        done = forks.run(tmp_path, [*COMMANDS[command].split(), "--log-file", "a.log", "--log-format", form])
    assert done.returncode == 2
    assert re.fullmatch("error: .*OPENAI_API_KEY.*\n", done.stderr)
    assert set(tree(tmp_path)) == {tmp_path / name for name in ("config.yaml", "tasks.jsonl", "a.log")}


def test_a_run_that_fails_says_so_in_its_log(forks: Forks, tmp_path: Path) -> None:
    """Where nobody watches stderr, the log alone tells why a run ended."""
    with model_server(fault=lambda number, _: (401, "Unauthorized") if number > 30 else None) as server:
        configure(tmp_path, server.base_url)
        done = forks.run(tmp_path, [*COMMANDS["run"].split(), "--log-file", "a.log"])
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if not line.startswith("warning: ")] == [
        done.stderr.splitlines()[-1]
    ]
    assert "OPENAI_API_KEY" in (tmp_path / "a.log").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_log_tells_of_a_stop(forks: Forks, tmp_path: Path) -> None:
    with model_server(hold_after=12) as server:
        configure(tmp_path, server.base_url)
        command = [*COMMANDS["run"].split(), "--log-file", "a.log", "--log-format", "json"]
        with forks.at_work(tmp_path, *command) as process:
            server.wait_until_asked(12 + 2)
            in_flight = told_to_stop(process, signal.SIGINT)
            server.go_on()
            process.communicate(timeout=PATIENCE)
    (stopping,) = [row for row in rows(tmp_path / "a.log") if row["message"] == "stopping"]
    assert stopping["in_flight"] == in_flight
    assert sum(row.get("asked", 0) for row in rows(tmp_path / "a.log")) == len(server.asked)


def test_an_input_is_not_taken_for_the_log(forks: Forks, tmp_path: Path) -> None:
    with serving(lambda *_: said("x")) as served:
        configure(tmp_path, served.base_url)
        told = forks.refused(tmp_path, *OUTPUTS, "--log-file", "tasks.jsonl")
    assert "tasks.jsonl" in told


@pytest.mark.parametrize("answers", [True, False])
def test_check_asks_every_replica(forks: Forks, tmp_path: Path, answers: bool) -> None:
    with model_server() as first, serving(lambda *_: said("Lyon") if answers else refused("no", 500)) as second:
        configure(tmp_path, first.base_url, base=second.base_url)
        done = forks.run(tmp_path, ["check", "config.yaml"])
        asked = 8  # one word, and what shows which settings the server follows
        over_chat = 2 if answers else 0  # whether the two models at completions follow instructions
        assert (len(first.asked), len(second.bodies)) == (3 * asked + over_chat, asked if answers else 1)
    assert done.returncode == (0 if answers else 2)
    assert re.search(rf"^model base at {first.base_url} says ", done.stdout, re.MULTILINE)
    assert f"\nmodel base at {second.base_url} " + ("says 'Lyon'" if answers else "failed: ") in done.stdout
    assert re.search(r"^model careful says ", done.stdout, re.MULTILINE)
    assert re.fullmatch("" if answers else "error: .*base.*\n", done.stderr)


def in_flight(folder: Path) -> int:
    return sum(server.in_flight for servers in read_status(folder).servers.values() for server in servers)


def test_status_of_a_run_at_work_shows_rate_servers_and_time_left(forks: Forks, tmp_path: Path) -> None:
    with model_server(hold_after=40) as server:
        configure(tmp_path, server.base_url)
        bigger = ["instructions.target.input_output=20", "instructions.target.output_only=10"]
        settings = [f"--set={setting}" for setting in ("models.base.max_in_flight=3", *bigger)]
        with forks.at_work(tmp_path, *COMMANDS["run"].split(), *settings) as process:
            server.wait_until_asked(43)
            wait_for(lambda: in_flight(tmp_path / "run") == len(server.asked) - 40)
            text = forks.run(tmp_path, ["status", "run"]).stdout
            server.go_on()
            out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, err) == (0, "")
        found = SERVER_LINE.findall(text)
        assert [(url, state) for url, state, *_ in found] == [(server.base_url, "open")] * 3
    assert found[0][2:4] == ("3", "3")
    assert sum(int(answers) for answers in re.findall(r"^model \w+: (\d+) answers", text, re.MULTILINE)) == 40
    last = re.fullmatch(r"running; (\d+\.\d) requests/s in the last minute, about \d+ \w+ left", text.splitlines()[-1])
    assert last
    assert float(last[1]) > 0
    oldest = rf"oldest request in flight: \w+, \w+ at {re.escape(server.base_url)}, for \d+ s"
    assert re.fullmatch(oldest, text.splitlines()[-2])
    assert [line[1:4] for line in SERVER_LINE.findall(out)] == [("", "", "")] * 3
    assert re.fullmatch(r"finished; \d+ requests in (all|.+, [\d.]+/s on average)", out.splitlines()[-2])


def test_status_counts_retries_by_cause_and_replica(forks: Forks, tmp_path: Path) -> None:
    # replies take a while, so that the second server has its share although it is left alone after its faults
    with model_server(0.1) as first, model_server(0.1, fault=once) as second:
        configure(tmp_path, first.base_url, base=second.base_url)
        done = forks.run(tmp_path, [*COMMANDS["run"].split(), "--set=instructions.target.input_output=20"])
        assert done.returncode == 0, done.stderr
        text = forks.run(tmp_path, ["status", "run"]).stdout
        assert min(len(first.asked), len(second.asked)) > 8
    assert text.splitlines()[:-1] == done.stdout.splitlines()[:-2]
    found = [(url, retries) for url, *_, retries in SERVER_LINE.findall(text)]
    assert found == [(first.base_url, ""), (second.base_url, "2x 429, 1x 500"), *[(first.base_url, "")] * 2]


def test_the_collector_of_the_environment_gets_a_span_for_every_try(forks: Forks, tmp_path: Path) -> None:
    def answering(_: dict[str, Any], tries: int) -> Reply:
        if tries == 1 and len(served.bodies) in (2, 5):
            return refused("a fault", 500)
        return said("Paris", usage={"prompt_tokens": 9, "completion_tokens": 2})

    with collecting() as collector, serving(answering) as served:
        configure(tmp_path, served.base_url)
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OPENAI_API_KEY": KEY}
        done = forks.run(tmp_path, OUTPUTS, environment)
    assert done.returncode == 0, done.stderr
    spans = [(span, plain(span.attributes)) for span in collector.spans()]
    assert len(spans) == len(served.bodies) == TASKS + 2
    failed = [held for span, held in spans if span.status.code == Status.STATUS_CODE_ERROR]
    assert [held["error.type"] for held in failed] == ["500", "500"]
    for span, held in spans:
        assert span.name == "chat voter_a"
        assert held["gen_ai.operation.name"] == "chat"
        assert (held["server.address"], held["server.port"]) == ("127.0.0.1", int(served.base_url.split(":")[2][:-3]))
        assert (held["ensemble_instruct.step"], held["ensemble_instruct.kind"]) == ("outputs", "input_output")
        assert 0 <= span.end_time_unix_nano - span.start_time_unix_nano < 60e9
    assert sum(held.get("gen_ai.usage.input_tokens", 0) for _, held in spans) == 9 * TASKS
    (point,) = collector.metrics()["gen_ai.client.operation.duration"].histogram.data_points[:1]
    assert point.count > 0
    everything = b"".join(body for _, body in collector.bodies)
    for secret in (KEY, "Name the capital", TASK["input"]):
        assert secret.encode() not in everything
