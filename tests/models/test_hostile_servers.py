"""Commands against servers that stall, flood, close or answer nonsense: no row is lost and none asked twice in vain."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import COMMAND, rows
from tests.support.forks import Forks
from tests.support.one_model import OUTPUTS, configure
from tests.support.processes import PATIENCE
from tests.support.servers.hostile_replies import BROKEN, FLOODS, NONSENSE, SERVER_ERRORS, STALLS, UNUSUAL
from tests.support.servers.raw import (
    Act,
    Exchange,
    RawServed,
    answer_to,
    completion,
    raw_server,
    reply,
    says,
    says_later,
    stalls,
)


def written(folder: Path) -> dict[str, str]:
    """The outputs by the inputs of their tasks."""
    return {row["input"]: row["output"] for row in rows(folder / "out.jsonl")}


def dropped(folder: Path, inputs: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Reason and text of the drops, by the inputs of their tasks: those of `inputs` that are not written, in order."""
    missing, found = [name for name in inputs if name not in written(folder)], rows(folder / "out.jsonl.rejected.jsonl")
    return {name: (row["reason"], row["text"]) for name, row in zip(missing, found, strict=True)}


CALM = [f"task {number}" for number in range(12)]
FAULTS = {**STALLS, **FLOODS, **BROKEN, **NONSENSE, "500": SERVER_ERRORS["page"]}
ODD = UNUSUAL | {f"500 {name}": act for name, act in SERVER_ERRORS.items()}
NULL = {
    "null": (says(reply(completion(None))), "empty_output"),
    "withheld": (says(reply(completion(None, "content_filter"))), "content_filter"),
}
INPUTS = [*CALM[:6], *FAULTS, *NULL, *CALM[6:]]


@dataclass
class Seen:
    """A command over all faults, each at one task, and what its server saw."""

    done: subprocess.CompletedProcess[str]
    served: RawServed
    folder: Path

    def tries(self, name: str) -> int:
        return self.served.tries[prompt_for(name)]


def prompt_for(name: str) -> str:
    return f"What is it?\n\n{name}"


def seen(forks: Forks, folder: Path, chosen: Callable[[str, int], Act | None], **settings: Any) -> Seen:
    """`chosen`: the act for the input of a task and the number of its try."""
    with raw_server(lambda exchange: chosen(exchange.prompt.rpartition("\n")[2], exchange.tries)) as served:
        configure(folder, served.base_url, INPUTS, timeout=3.0, **settings)
        return Seen(forks.run(folder, OUTPUTS), served, folder)


@pytest.fixture(scope="module")
def once(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Each fault happens on the first try of one task."""
    every = FAULTS | {name: act for name, (act, _) in NULL.items()}
    return seen(forks, tmp_path_factory.mktemp("once"), lambda name, tries: every.get(name) if tries == 1 else None)


@pytest.fixture(scope="module")
def for_ever(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Each fault happens on every try of one task."""
    return seen(forks, tmp_path_factory.mktemp("ever"), lambda name, _: FAULTS.get(name), max_tries=1)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["once", "for_ever"])
def test_faults_end_no_command_and_what_is_told_of_them_is_in_order(request: pytest.FixtureRequest, which: str) -> None:
    found: Seen = request.getfixturevalue(which)
    assert found.done.returncode == 0, found.done.stderr
    for line in found.done.stderr.splitlines():
        assert line.startswith(f"warning: model real at {found.served.base_url}: ")
    assert max(found.served.answered.values()) == 1
    for name in CALM:
        assert written(found.folder)[name] == answer_to(name)
        assert found.tries(name) == 1


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_on_the_first_try_costs_one_more_and_loses_nothing(once: Seen, name: str) -> None:
    assert written(once.folder)[name] == answer_to(name)
    assert once.tries(name) == 2


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_on_every_try_drops_this_row_alone(for_ever: Seen, name: str) -> None:
    reason, text = dropped(for_ever.folder, INPUTS)[name]
    assert reason == "server_error"
    assert re.fullmatch(r"[^<>\n]{1,400}", text)
    assert for_ever.tries(name) <= 4


@pytest.mark.parametrize("name", NULL)
def test_no_content_is_an_answer_and_its_row_is_dropped_for_it(once: Seen, name: str) -> None:
    assert dropped(once.folder, INPUTS)[name][0] == NULL[name][1]
    assert once.tries(name) == 1


GIVING_UP = {"timeout": 0.3, "give_up_after": 0.5, "max_in_flight": 16}


def given_up(code: int, told: str, base_url: str) -> str:
    """Assert that a command ended well against a server that treats all requests alike, and return its last line."""
    assert code == 1
    *warnings, last = told.splitlines()
    assert 1 <= len(warnings) <= 2
    assert all(line.startswith(f"warning: model real at {base_url}: ") for line in warnings)
    assert last.startswith("error: model real: no success for ")
    assert "run the same command again" in last
    return last


@pytest.fixture(scope="module", autouse=True)
def without_words(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command and its silent server. It takes ten seconds: it is started first and looked at last."""
    folder = tmp_path_factory.mktemp("silent")
    with raw_server(lambda _: stalls(), models=stalls()) as served:
        configure(folder, served.base_url, CALM, **GIVING_UP)
        with subprocess.Popen([COMMAND, *OUTPUTS], cwd=folder, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process, served.base_url
            finally:
                process.kill()


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        pytest.param(STALLS["headers"], "no answer within 0.3 s", id="stalling"),
        pytest.param(STALLS["a byte at a time"], "no answer within 0.3 s", id="dripping"),
        pytest.param(FLOODS["chunks"], "longer than", id="flooding"),
        pytest.param(BROKEN["closed"], "connection lost", id="closed"),
        pytest.param(BROKEN["not HTTP"], "connection lost", id="not HTTP"),
        pytest.param(NONSENSE["no choices"], "not a completion", id="no choices"),
        pytest.param(NONSENSE["stream"], "the stream ends before the reply does", id="stream"),
        pytest.param(NONSENSE["page"], "Bad gateway", id="page"),
        pytest.param(NONSENSE["error"], "the upstream is busy", id="error"),
        pytest.param(SERVER_ERRORS["page"], "HTTP 500: a page titled 'Bad gateway'", id="error page"),
    ],
)
def test_a_server_that_only_does_wrong_is_given_up_with_what_it_does(
    forks: Forks, tmp_path: Path, act: Act, problem: str
) -> None:
    timeout = 0.3 if "0.3 s" in problem else 30.0
    with raw_server(lambda _: act) as served:
        configure(tmp_path, served.base_url, CALM, **GIVING_UP | {"timeout": timeout})
        done = forks.run(tmp_path, OUTPUTS)
    assert problem in given_up(done.returncode, done.stderr, served.base_url)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOODS)
def test_memory_is_bounded_however_long_the_replies_are(tmp_path: Path, name: str) -> None:
    """The command is the child of a small process: only of a process that forked little is the peak its own."""
    program = "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); " + (
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    with raw_server(lambda exchange: FLOODS[name] if exchange.tries == 1 else None, FLOODS["body"]) as served:
        configure(tmp_path, served.base_url, CALM * 2, max_in_flight=16)
        command = [sys.executable, "-c", program, str(COMMAND), *OUTPUTS]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert len(rows(tmp_path / "out.jsonl")) == 2 * len(CALM), done.stderr
    unit = 2**10 if sys.platform == "darwin" else 1
    assert int(done.stdout.split()[-1]) / unit < 200_000


@pytest.mark.parametrize("farewell", ["announced", "unannounced", "late"])
def test_a_server_that_closes_after_each_reply_loses_no_row(forks: Forks, tmp_path: Path, farewell: str) -> None:
    """A request that meets a closing connection was never seen by the server: no try of the request."""

    def closing(exchange: Exchange) -> Act:
        body = completion(answer_to(exchange.prompt))
        if farewell == "late":
            return says_later(reply(body), b"", end="close")
        return says(reply(body, **({"Connection": "close"} if farewell == "announced" else {})), end="close")

    inputs = [f"task {number}" for number in range(30)]
    with raw_server(closing) as served:
        configure(tmp_path, served.base_url, inputs, max_in_flight=4, max_tries=1)
        done = forks.run(tmp_path, OUTPUTS)
    assert done.returncode == 0, done.stderr
    assert written(tmp_path) == {name: answer_to(name) for name in inputs}
    assert served.tries == {prompt_for(name): 1 for name in inputs}
    assert served.connections >= len(inputs)


@pytest.mark.parametrize("name", ODD)
def test_one_odd_reply_does_not_end_a_command(forks: Forks, tmp_path: Path, name: str) -> None:
    act = ODD[name]
    with raw_server(lambda exchange: act if exchange.prompt.endswith(" 5") and exchange.tries == 1 else None) as served:
        configure(tmp_path, served.base_url, CALM)
        done = forks.run(tmp_path, OUTPUTS)
    assert done.returncode == 0, done.stderr
    assert written(tmp_path) == {each: answer_to(each) for each in CALM}


MOVED = ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]


@pytest.mark.parametrize("status", MOVED)
def test_a_redirect_to_another_server_is_tried_again_and_named(forks: Forks, tmp_path: Path, status: str) -> None:
    with raw_server(lambda _: None) as elsewhere:
        moved = says(reply(b"", status, Location=f"{elsewhere.base_url}/chat/completions"))
        with raw_server(
            lambda exchange: moved if exchange.prompt.endswith(" 5") and exchange.tries < 3 else None, moved
        ) as served:
            configure(tmp_path, served.base_url, CALM)
            done = forks.run(tmp_path, OUTPUTS, {"OPENAI_API_KEY": "sk-key"})
    assert done.returncode == 0, done.stderr
    assert f"HTTP {status[:3]} redirects to {elsewhere.base_url}/chat/completions, which is another" in done.stderr
    assert "models.real.base_url" in done.stderr
    assert written(tmp_path) == {each: answer_to(each) for each in CALM}
    assert elsewhere.asked == []


def test_a_key_that_is_refused_ends_a_command_in_which_an_earlier_request_gets_no_answer(
    forks: Forks, tmp_path: Path
) -> None:
    acts = {prompt_for("task 0"): stalls(), prompt_for("task 5"): says(reply(b"{}", "401 Unauthorized"))}
    with raw_server(lambda exchange: acts.get(exchange.prompt)) as served:
        configure(tmp_path, served.base_url, CALM, timeout=30.0, give_up_after=30.0)
        done = forks.run(tmp_path, OUTPUTS, {"OPENAI_API_KEY": "sk-key"})
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert "OPENAI_API_KEY" in line
    assert served.tries[prompt_for("task 0")] == 1


@pytest.mark.slow
def test_a_server_that_accepts_and_never_answers_anything_is_given_up(
    without_words: tuple[subprocess.Popen[str], str],
) -> None:
    process, base_url = without_words
    _, told = process.communicate(timeout=PATIENCE)
    assert "no answer within 0.3 s" in given_up(process.returncode, told, base_url)
