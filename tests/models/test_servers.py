"""Commands against servers that are not there, refuse or fail: what the user is told, and what becomes of the rows."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.conftest import Cli, needs_shared, rows, stats, stub_server
from tests.support.forks import Forks
from tests.support.good_input import TASK, write
from tests.support.servers.reply import Reply, refused, said, serving
from tests.support.servers.stub import OTHERS, stub_llm

KEY = "sk-abc123"
COMMANDS = {
    "run, generator": "run generator.yaml --out new/run",
    "run, voter": "run voter.yaml --out new/run",
    "instructions": "instructions generator.yaml --kind input_output --to out.jsonl",
    "instances": "instances generator.yaml --kind input_output --instructions tasks.jsonl --to out.jsonl",
    "outputs": "outputs voter.yaml --model real --instances tasks.jsonl --to out.jsonl",
}
FIRST_ANSWER = [name for name in COMMANDS if name != "run, voter"]
"""Commands whose very first request goes to the server."""


def configure(folder: Path, base_url: str) -> None:
    """Two configs with a model on a server, once as generator and once as voter; the others are simulated."""
    real = f"  real: {{base_url: {base_url}, model: org/model}}\n"
    generator = "roles: {instructions: real, instances: real, outputs: [a, base]}\n"
    (folder / "generator.yaml").write_text(OTHERS + real + generator)
    voter = "roles: {instructions: base, instances: base, outputs: [a, real]}\n"
    (folder / "voter.yaml").write_text(OTHERS + real + voter)
    write(folder / "tasks.jsonl", *({**TASK, "input": f"Country {number}"} for number in range(12)))


@contextmanager
def nobody() -> Iterator[str]:
    """An address where no server is."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unreachable_server_is_named(forks: Forks, tmp_path: Path, command: str) -> None:
    with nobody() as address:
        configure(tmp_path, address)
        told = forks.refused(tmp_path, *COMMANDS[command].split())
    assert f"model real: no server at {address}" in told
    assert "models.real.base_url" in told


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_key_is_named_by_its_variable(forks: Forks, tmp_path: Path, command: str) -> None:
    def wrong() -> web.Response:
        return refused(f"Incorrect API key provided: {KEY}", 401)

    with serving(lambda *_: wrong(), wrong()) as served:
        configure(tmp_path, served.base_url)
        told = forks.refused(tmp_path, *COMMANDS[command].split(), env={"OPENAI_API_KEY": KEY})
    assert "does not accept the key" in told
    assert "OPENAI_API_KEY" in told
    assert KEY not in told


@pytest.mark.parametrize("command", FIRST_ANSWER)
def test_a_wrong_key_is_found_where_only_the_list_of_models_is_free(forks: Forks, tmp_path: Path, command: str) -> None:
    with serving(lambda *_: refused("Unauthorized", 401)) as served:
        configure(tmp_path, served.base_url)
        told = forks.refused(tmp_path, *COMMANDS[command].split(), env={"OPENAI_API_KEY": KEY})
    assert "does not accept the key" in told
    assert "OPENAI_API_KEY" in told


def test_a_missing_key_is_told_apart_from_a_wrong_one(forks: Forks, tmp_path: Path) -> None:
    with serving(lambda *_: refused("Unauthorized", 401)) as served:
        configure(tmp_path, served.base_url)
        assert "asks for a key" in forks.refused(tmp_path, *COMMANDS["outputs"].split())


@pytest.mark.parametrize("command", FIRST_ANSWER)
def test_a_model_that_the_server_does_not_know_is_named(forks: Forks, tmp_path: Path, command: str) -> None:
    with serving(lambda *_: refused("The model `org/model` does not exist.", 404)) as served:
        configure(tmp_path, served.base_url)
        told = forks.refused(tmp_path, *COMMANDS[command].split())
    assert "'org/model'" in told
    assert "models.real.model" in told


def test_an_address_without_its_path_is_one_line(forks: Forks, tmp_path: Path) -> None:
    page = "<html><body>\n<h1>Not Found</h1>\n" + "<p>nothing here</p>\n" * 50 + "</body></html>"
    with serving(lambda *_: web.Response(status=404, text=page, content_type="text/html")) as served:
        configure(tmp_path, served.base_url)
        told = forks.refused(tmp_path, *COMMANDS["outputs"].split())
    assert served.base_url in told
    assert len(told) < 700


def test_a_server_that_moved_is_not_followed(forks: Forks, tmp_path: Path) -> None:
    with serving(lambda *_: said("stolen")) as elsewhere:
        moved = {"Location": elsewhere.base_url + "/completions"}
        with serving(lambda *_: web.Response(status=307, headers=moved)) as served:
            configure(tmp_path, served.base_url)
            patience = "--set=models.real.give_up_after=0.5"
            done = forks.run(tmp_path, [*COMMANDS["outputs"].split(), patience], {"OPENAI_API_KEY": KEY})
    assert done.returncode == 1
    assert f"redirects to {elsewhere.base_url}/completions, which is another server" in done.stderr.splitlines()[-1]
    assert "models.real.base_url" in done.stderr
    assert elsewhere.paths == []


def test_a_voter_that_stops_taking_the_key_stops_the_run_which_then_goes_on(forks: Forks, tmp_path: Path) -> None:
    accepted = 3

    def answering(body: dict[str, Any], _: int) -> Reply:
        return said("yes") if len(served.bodies) <= accepted else refused("Unauthorized", 401)

    with serving(answering) as served:
        configure(tmp_path, served.base_url)
        done = forks.run(tmp_path, COMMANDS["run, voter"].split(), {"OPENAI_API_KEY": KEY})
        lines = done.stderr.splitlines()
        assert (done.returncode, done.stdout, [line.partition(":")[0] for line in lines]) == (
            1,
            "",
            ["warning", "error"],
        )
        assert "OPENAI_API_KEY" in lines[1]
        accepted = 1000
        first = len(served.bodies)
        done = forks.run(tmp_path, COMMANDS["run, voter"].split(), {"OPENAI_API_KEY": KEY})
        assert done.returncode == 0
        again = {body["prompt"] for body in served.bodies[:3]} & {body["prompt"] for body in served.bodies[first:]}
    assert not again
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_key_that_the_server_repeats_is_written_nowhere(forks: Forks, tmp_path: Path) -> None:
    def answering(_: dict[str, Any], tries: int) -> Reply:
        status = 500 if tries == 1 else 400
        return refused(f"cannot parse header 'Authorization: Bearer {KEY}'", status)

    with serving(answering) as served:
        configure(tmp_path, served.base_url)
        done = forks.run(tmp_path, COMMANDS["outputs"].split(), {"OPENAI_API_KEY": KEY})
    assert "***" in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def refusing(number: int) -> Reply:
    """One kind of refusal for each number from 1, else an answer."""
    too_long = "This model's maximum context length is 2048 tokens. However, you requested 2500 tokens."
    return {
        1: refused(too_long),
        2: said("partly", "content_filter"),
        3: refused("blocked by our content policy"),
        4: said("cut in the mid", "length"),
        5: said(None),
    }.get(number, said(f"answer {number}"))


REASONS = ["prompt_too_long", "content_filter", "content_filter", "cut_off", "empty_output"]


def test_a_refused_request_becomes_a_rejected_row(forks: Forks, tmp_path: Path) -> None:
    with serving(lambda body, _: refusing(int(body["prompt"].split()[-1]))) as served:
        configure(tmp_path, served.base_url)
        done = forks.run(tmp_path, COMMANDS["outputs"].split())
    assert done.returncode == 0, done.stderr
    kept = [number for number in range(12) if not 1 <= number <= 5]
    assert rows(tmp_path / "out.jsonl") == [
        {**TASK, "input": f"Country {number}", "output": f"answer {number}"} for number in kept
    ]
    assert [row["reason"] for row in rows(tmp_path / "out.jsonl.rejected.jsonl")] == REASONS
    assert "1 prompt_too_long" in done.stdout


def test_a_refused_request_of_a_run_is_counted_and_votes_in_no_example(forks: Forks, tmp_path: Path) -> None:
    with serving(lambda *_: refusing(len(served.bodies))) as served:
        configure(tmp_path, served.base_url)
        done = forks.run(tmp_path, COMMANDS["run, voter"].split())
    assert done.returncode == 0, done.stderr
    for reason in REASONS:
        assert reason in done.stdout
    examples = rows(tmp_path / "new" / "run" / "examples.jsonl")
    texts = [voice["output"] for row in examples for voice in row["candidates"] if voice["voter"] == "real"]
    assert texts
    assert all(text.startswith("answer ") for text in texts)


@pytest.mark.parametrize("step", ["instructions", "instances"])
def test_when_every_request_is_refused_the_command_ends(forks: Forks, tmp_path: Path, step: str) -> None:
    with serving(lambda *_: refused("blocked by our content policy")) as served:
        configure(tmp_path, served.base_url)
        arguments = [*COMMANDS[step].split(), "--set", "instructions.patience=20", "--set", "instructions.window=8"]
        done = forks.run(tmp_path, arguments)
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    assert "content_filter" in done.stdout + done.stderr
    assert len(served.bodies) < 40


FAULTS = ("--p429", "0.05", "--p500", "0.05", "--pdrop", "0.05", "--pmalformed", "0.05", "--retry-after", "0.2")


@needs_shared
def test_every_row_survives_the_faults_of_a_server(cli: Cli, tmp_path: Path) -> None:
    expected: Callable[[str], str] = stub_llm().expected
    asked = [
        {**TASK, "instruction": f"Say {number} in German: größer", "input": "x" * (number % 3)} for number in range(300)
    ]
    written = {}
    for name, faults in {"calm": (), "faulty": FAULTS}.items():
        with stub_server("--latency-ms", "5", *faults) as base_url:
            configure(tmp_path, base_url)
            write(tmp_path / "tasks.jsonl", *asked)
            to = f"{name}.jsonl"
            done = cli("outputs", "voter.yaml", "--model", "real", "--instances", "tasks.jsonl", "--to", to)
            assert done.returncode == 0, done.stderr
            counted = stats(base_url)
            assert counted["successes"] == len(asked)
            assert all(counted["faults"].values()) == bool(faults)
        assert not (tmp_path / f"{name}.jsonl.rejected.jsonl").exists()
        written[name] = (tmp_path / f"{name}.jsonl").read_bytes()
    made = rows(tmp_path / "faulty.jsonl")
    assert [(row["instruction"], row["input"]) for row in made] == [(row["instruction"], row["input"]) for row in asked]
    for row in made:
        assert expected(f"{row['instruction']}\n{row['input']}") in row["output"]
    assert written["faulty"] == written["calm"]


@pytest.mark.parametrize(
    "message",
    ["foo is not a valid model ID", "The model `m` does not exist.", "API key not valid. Pass a valid API key."],
)
def test_a_wrong_model_or_key_told_as_a_400_stops_the_command(forks: Forks, tmp_path: Path, message: str) -> None:
    with serving(lambda *_: refused(message)) as served:
        configure(tmp_path, served.base_url)
        done = forks.run(tmp_path, COMMANDS["outputs"].split(), {})
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.jsonl.db").exists()


def test_a_server_that_refuses_everything_stops_the_command_with_its_own_words(forks: Forks, tmp_path: Path) -> None:
    with serving(lambda *_: refused("prompts are not served on Sundays")) as served:
        configure(tmp_path, served.base_url)
        done = forks.run(tmp_path, COMMANDS["outputs"].split(), {})
    assert done.returncode == 1
    assert "not served on Sundays" in done.stderr
    assert not (tmp_path / "out.jsonl").exists()
