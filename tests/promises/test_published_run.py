"""Fidelity: the profile `published` gives the recorded run's files again, and follows the original's rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from rouge_score.rouge_scorer import RougeScorer

from ensemble_instruct.rouge import rouge_l
from tests.conftest import PUBLISHED_RUN, Cli, needs_shared, published_config, replay_server, rows, stats
from tests.support.good_input import write

INSTRUCTIONS = PUBLISHED_RUN / "openei.io_instructions.jsonl"
COMPLETIONS = PUBLISHED_RUN / "openei.io_instances.jsonl"
SAMPLES = PUBLISHED_RUN / "openei.io_samples.jsonl"
OUTPUTS = {name: PUBLISHED_RUN / f"openei.io.{name}_output.jsonl" for name in ("flan-t5-xxl", "flan-ul2")}
ENSEMBLES = {
    "published": PUBLISHED_RUN / "openei.io.ensemble.published",
    "released": PUBLISHED_RUN / "openei.io.ensemble.released-code",
}
JITTER = ("--delay-ms", "2", "--jitter-ms", "10")


def work(cli: Cli, *arguments: str | Path) -> str:
    """Run a command that must succeed; returns what it printed."""
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@contextmanager
def recorded_models(folder: Path, *arguments: str) -> Iterator[str]:
    """The recorded models, and a config in `folder` that names them."""
    with replay_server(*arguments) as url:
        (folder / "config.yaml").write_text(published_config(url))
        yield url


# The recorded run, step by step


def step_1(cli: Cli, folder: Path, *arguments: str) -> tuple[list[str], dict[str, int]]:
    """The lines that step 1 writes, and what the server counted."""
    with recorded_models(folder, *arguments) as url:
        work(cli, "instructions", "config.yaml", "--kind", "input_output", "--to", "instructions.jsonl")
        counted = stats(url)
    return (folder / "instructions.jsonl").read_bytes().decode("ascii").splitlines(keepends=True), counted


def require_recorded(lines: list[str]) -> None:
    """Each line is the record's to the byte, but for the sampler's seed and which of equal scores are listed."""
    golden_lines = INSTRUCTIONS.read_text(encoding="utf-8").splitlines(keepends=True)
    for line, golden_line in zip(lines, golden_lines, strict=True):
        row, golden = json.loads(line), json.loads(golden_line)
        assert json.dumps(row) + "\n" == line
        assert list(row["most_similar"].values()) == list(golden["most_similar"].values())
        row["most_similar"] = golden["most_similar"]
        row["metadata"]["seed"] = golden["metadata"]["seed"]
        assert json.dumps(row) + "\n" == golden_line


@needs_shared
def test_step_1_sends_every_prompt_and_gives_the_instructions(cli: Cli, tmp_path: Path) -> None:
    lines, counted = step_1(cli, tmp_path)
    golden_lines = INSTRUCTIONS.read_text(encoding="utf-8").splitlines(keepends=True)
    prompts = [row["metadata"]["prompt"] for row in map(json.loads, golden_lines)]
    assert [json.loads(line)["metadata"]["prompt"] for line in lines] == prompts
    assert counted["step1"] == len(set(prompts))
    assert set(counted) == {"step1", "step1:unrecorded"}
    require_recorded(lines)


@needs_shared
def test_step_1_lists_the_ten_nearest_with_true_scores_and_the_earlier_first(cli: Cli, tmp_path: Path) -> None:
    lines, _ = step_1(cli, tmp_path, *JITTER)
    require_recorded(lines)

    # The server is gone: the same command has nothing to ask, and writes the same.
    work(cli, "instructions", "config.yaml", "--kind", "input_output", "--to", "instructions.jsonl")
    assert (tmp_path / "instructions.jsonl").read_text().splitlines(keepends=True) == lines

    pool = [row["instruction"] for row in rows(PUBLISHED_RUN / "seed_tasks.jsonl") if row["instances"][0]["input"]]
    assert len(pool) == 125
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    for row in map(json.loads, lines):
        made, listed = row["instruction"], row["most_similar"]
        scores = [(text, rouge_l(text, made)) for text in pool]
        assert list(listed.items()) == sorted(scores, key=lambda pair: -pair[1])[:10]
        assert listed == {text: scorer.score(text, made)["rougeL"].fmeasure for text in listed}
        pool.append(made)


@needs_shared
def test_step_2_gives_the_completions(cli: Cli, tmp_path: Path) -> None:
    command = ("instances", "config.yaml", "--kind", "input_output", "--instructions", INSTRUCTIONS, "--to", "made")
    with recorded_models(tmp_path, *JITTER) as url:
        work(cli, *command)
        assert stats(url) == {"step2": 101}
        work(cli, *command)
        assert stats(url) == {"step2": 101}
    assert (tmp_path / "made").read_bytes() == COMPLETIONS.read_bytes()


@needs_shared
def test_step_3_gives_the_instances(cli: Cli, tmp_path: Path) -> None:
    work(cli, "parse", "--profile", "published", "--instances", COMPLETIONS, "--to", "made")
    assert (tmp_path / "made").read_bytes() == SAMPLES.read_bytes()
    dropped = rows(tmp_path / "made.rejected.jsonl")
    assert len(dropped) == 101 - 72
    assert all(row["reason"] for row in dropped)


@needs_shared
def test_step_4_gives_the_outputs_of_both_models(cli: Cli, tmp_path: Path) -> None:
    with recorded_models(tmp_path, *JITTER) as url:
        for model in OUTPUTS:
            work(cli, "outputs", "config.yaml", "--model", model, "--instances", SAMPLES, "--to", model)
        assert stats(url) == {f"step4:{model}": 72 for model in OUTPUTS}
        work(cli, "outputs", "config.yaml", "--model", "flan-ul2", "--instances", SAMPLES, "--to", "flan-ul2")
        assert stats(url) == {f"step4:{model}": 72 for model in OUTPUTS}
    for model, golden in OUTPUTS.items():
        assert (tmp_path / model).read_bytes() == golden.read_bytes()


@needs_shared
@pytest.mark.parametrize("strategy", ENSEMBLES)
def test_step_5_gives_the_ensemble(cli: Cli, tmp_path: Path, strategy: str) -> None:
    files = [argument for path in OUTPUTS.values() for argument in ("--outputs", path)]
    work(cli, "ensemble", "--instances", SAMPLES, *files, "--strategy", strategy, "--to", "made")
    assert (tmp_path / "made").read_bytes() == ENSEMBLES[strategy].read_bytes()


@needs_shared
def test_a_whole_run_with_jitter_gives_the_dataset_and_resumes_without_asking(cli: Cli, tmp_path: Path) -> None:
    with recorded_models(tmp_path, *JITTER) as url:
        work(cli, "run", "config.yaml", "--out", "made")
        counted = stats(url)
        asked = {"step1": 82, "step1:unrecorded": 13, "step2": 101, "step4:flan-t5-xxl": 72, "step4:flan-ul2": 72}
        assert counted == asked
        work(cli, "export", "made", "--format", "original", "--to", "dataset")
        assert (tmp_path / "dataset").read_bytes() == ENSEMBLES["published"].read_bytes()

        examples = (tmp_path / "made" / "examples.jsonl").read_bytes()
        work(cli, "run", "config.yaml", "--out", "made")
        assert (tmp_path / "made" / "examples.jsonl").read_bytes() == examples

        work(cli, "run", "config.yaml", "--out", "made", "--set", "ensemble.strategy=released", "--force")
        work(cli, "export", "made", "--format", "original", "--to", "dataset")
        assert (tmp_path / "dataset").read_bytes() == ENSEMBLES["released"].read_bytes()
        assert stats(url) == counted


@needs_shared
def test_a_new_run_with_the_released_strategy_gives_the_other_dataset(cli: Cli, tmp_path: Path) -> None:
    with recorded_models(tmp_path):
        work(cli, "run", "config.yaml", "--out", "made", "--set", "ensemble.strategy=released")
    work(cli, "export", "made", "--format", "original", "--to", "dataset")
    assert (tmp_path / "dataset").read_bytes() == ENSEMBLES["released"].read_bytes()


# What is sent beside the prompt


@contextmanager
def listener() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers every request with the same text; yields its URL and the bodies that it received."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send({"object": "list", "data": []})

        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._send({"choices": [{"index": 0, "text": " No.", "finish_reason": "stop"}]})

        def _send(self, answer: object) -> None:
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", bodies
        finally:
            server.shutdown()
            thread.join()


@needs_shared
def test_each_step_samples_as_the_original_did(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "one", {"instruction": "Name a river. |EoS|", "input": "in Asia", "output": "Ob"})
    sampled = {"temperature": 0.7, "top_k": 50, "top_p": 1.0}
    expected = {
        "instructions": sampled | {"max_tokens": 256, "min_tokens": 15, "stop": ["|EoS|"]},
        "instances": sampled | {"max_tokens": 512, "min_tokens": 50, "stop": ["\n\n", "|EoS|"]},
        "outputs": {"temperature": 0, "max_tokens": 256, "min_tokens": 1, "stop": ["\n\n", "|EoS|"]},
    }
    sent: dict[str, dict[str, Any]] = {}
    with listener() as (url, bodies):
        (tmp_path / "config.yaml").write_text(published_config(url))
        kind = ("--kind", "input_output")
        cli("instructions", "config.yaml", *kind, "--to", "a", "--set", "instructions.patience=1")
        sent["instructions"] = bodies[-1]
        work(cli, "instances", "config.yaml", *kind, "--instructions", "one", "--to", "b")
        sent["instances"] = bodies[-1]
        work(cli, "outputs", "config.yaml", "--model", "flan-ul2", "--instances", "one", "--to", "c")
        sent["outputs"] = bodies[-1]
    assert sent["instances"]["prompt"].endswith("instruction: Name a river. |EoS|\n")
    assert sent["outputs"]["prompt"] == "Name a river. |EoS|\nin Asia"
    assert {step: {name: body.get(name) for name in expected[step]} for step, body in sent.items()} == expected


# Rules that the recorded half of the run does not show


def parsed(cli: Cli, folder: Path, *texts: str, instruction: str = "Say something. |EoS|") -> list[tuple[str, str]]:
    """(input, output) of the completions that the profile `published` reads."""
    write(folder / "completions", *({"instruction": instruction, "raw_instances": text} for text in texts))
    work(cli, "parse", "--profile", "published", "--instances", "completions", "--to", "made")
    return [(row["input"], row["output"]) for row in rows(folder / "made")]


def test_output_only_completions_are_read_from_their_first_line(cli: Cli, tmp_path: Path) -> None:
    cases = {
        "output: Paris": "Paris",
        "\n\n  output:   Paris  \n|EoS|": "Paris",
        "output: two lines,\nof which one stays": "two lines,",
        "output: a first paragraph\n\nand a second": "a first paragraph",
        "output: cut at 2^10": "cut at 2",
        "output: say output: and |EoS| so": "say  and  so",
        "The output: lies in the middle": "The  lies in the middle",
        "output: mine\n\ninstruction: Another task\noutput: not mine": "mine",
        "output: mine\n\noutput: a later piece": "mine",
        "output: ¿Quién? 谁": "¿Quién? 谁",
    }
    assert parsed(cli, tmp_path, *cases) == [("", output) for output in cases.values()]
    assert (tmp_path / "made").read_bytes().isascii()


def test_input_must_stand_in_line_one_and_output_in_line_two(cli: Cli, tmp_path: Path) -> None:
    good = [
        "input: a\noutput: b",
        "input: a |EoS|\nthe output: b\nc",
        "input: a output: b input: c\noutput: input: d",
        "my input: a\noutput: b\n\ninput: c\noutput: d",
    ]
    assert parsed(cli, tmp_path, *good) == [("a", "b"), ("a", "the  b"), ("a  b  c", "d"), ("my  a", "b")]
    bad = [
        "input: a\nb\noutput: c",
        "input: a\n\noutput: c",
        "input: a^\noutput: c",
        "input: a, output: c",
        "text first\ninput: a\noutput: c",
        "text first\noutput: c",
        "neither marker",
        "",
    ]
    assert parsed(cli, tmp_path, *bad) == []
    assert len(rows(tmp_path / "made.rejected.jsonl")) == len(bad)


def test_an_empty_output_drops_the_row(cli: Cli, tmp_path: Path) -> None:
    texts = [
        "output:",
        "output: |EoS|",
        "output: output: |EoS|",
        "output:\nlate",
        "output: ^late",
        "input: a\noutput:",
    ]
    assert parsed(cli, tmp_path, *texts) == []
    assert [row["reason"] for row in rows(tmp_path / "made.rejected.jsonl")] == ["empty_output"] * len(texts)


def test_the_end_marker_leaves_the_instruction_and_other_markers_stay_in_it(cli: Cli, tmp_path: Path) -> None:
    parsed(cli, tmp_path, "output: b", instruction="Explain what input: means. |EoS|")
    assert [row["instruction"] for row in rows(tmp_path / "made")] == ["Explain what input: means."]


ALGORITHM_1 = {
    "all equal keeps the instance's": (("a red boat", "a red boat", "a red boat"), "a red boat"),
    "the pair (instance, first)": (("a red boat", "a red boat", "one boat"), "a red boat"),
    "the pair (instance, second)": (("a red boat", "my boat sank", "the red boat"), "a red boat"),
    "the pair of voters gives the first's": (("one boat here", "A red boat", "a red boat!"), "A red boat"),
    "of equal pairs the earliest": (("x a b", "y a b", "z a b"), "x a b"),
    "one voter without a common word drops it": (("a red boat", "a red boat", "an oar"), None),
    "voters that agree against the instance drop it": (("green", "a red boat", "a red boat"), None),
    "an empty output drops it": (("a red boat", "a red boat", ""), None),
    "words are stemmed": (("boats running", "boat runs", "boat rowing"), "boats running"),
}


def test_algorithm_1_keeps_the_first_of_the_closest_pair_if_all_pairs_agree(cli: Cli, tmp_path: Path) -> None:
    columns = list(zip(*(outputs for outputs, _ in ALGORITHM_1.values()), strict=True))
    for name, column in zip(("instances", "first", "second"), columns, strict=True):
        write(
            tmp_path / name,
            *(
                {"instruction": case, "input": "", "output": text}
                for case, text in zip(ALGORITHM_1, column, strict=True)
            ),
        )
    files = ("--instances", "instances", "--outputs", "first", "--outputs", "second", "--to", "made")
    work(cli, "ensemble", *files, "--strategy", "algorithm1")
    made = {row["instruction"]: row["output"] for row in rows(tmp_path / "made")}
    assert made == {case: output for case, (_, output) in ALGORITHM_1.items() if output is not None}
    assert len(rows(tmp_path / "made.rejected.jsonl")) == len(ALGORITHM_1) - len(made)

    # "of equal pairs": all three scores are 2/3, and what is kept must be above the threshold, not at it
    for threshold, kept in (("0.6666666666666665", True), ("0.6666666666666666", False)):
        work(cli, "ensemble", *files, "--strategy", "algorithm1", "--threshold", threshold)
        made = {row["instruction"]: row["output"] for row in rows(tmp_path / "made")}
        assert ("of equal pairs the earliest" in made) is kept
