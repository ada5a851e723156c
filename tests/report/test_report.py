"""The report of real runs: its numbers against the run's own files, and every text in it as text."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import fields
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from filelock import FileLock
from jinja2 import UndefinedError
from jinja2.meta import find_undeclared_variables

from ensemble_instruct.quality.filters import QUALITY_REASONS
from ensemble_instruct.report.context import Context
from ensemble_instruct.report.histograms import series, unit_edges
from ensemble_instruct.report.page import environment, write_report
from ensemble_instruct.report.report import read_report, report_json
from ensemble_instruct.report.wording import REASONS
from ensemble_instruct.rouge import lcs_f1, word_tokens
from ensemble_instruct.steps.seed_tasks import load_seed_tasks
from ensemble_instruct.store.database import connect
from tests.conftest import Cli, rows
from tests.support.finished import change, stored
from tests.support.hostile import HOSTILE
from tests.support.made_run import made_examples, make_run

TEMPLATES = ("report.html.j2", "report_lede.html.j2", "report_sections.html.j2", "report_macros.html.j2")


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.bytes = path.read_bytes()
        self.feed(self.bytes.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, finished_run: Path) -> Path:
    """The finished run, in a folder whose name is hard on a page."""
    return shutil.copytree(finished_run, tmp_path_factory.mktemp("report") / "demo run & more")


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Path:
    """A copy of the demo run that may be changed."""
    return shutil.copytree(demo, tmp_path / "copy")


def numbers(folder: Path) -> Any:
    """The report as a program gets it."""
    return json.loads(json.dumps(report_json(read_report(folder))))


def words(page: Page) -> str:
    """The text of a page with single spaces."""
    return " ".join(page.text.split())


def written(folder: Path) -> Page:
    """The report as a browser gets it."""
    return Page(write_report(folder))


def test_the_numbers_are_those_of_the_run(demo: Path, cli: Cli) -> None:
    done, examples = cli("report", demo, "--json"), rows(demo / "examples.jsonl")
    report = json.loads(done.stdout)
    assert report == numbers(demo)
    assert report["examples"] == len(examples)
    assert report["kinds"] == Counter(row["kind"] for row in examples)
    assert {win["voter"]: win["won"] for win in report["wins"]} == Counter(
        name for row in examples for name in row["winners"]
    )
    alone = Counter(row["winners"][0] for row in examples if len(row["winners"]) == 1)
    assert {win["voter"]: win["alone"] for win in report["wins"] if win["alone"]} == alone
    dropped = {(drop["step"], drop["reason"]): sum(drop["counts"].values()) for drop in report["drops"]}
    assert dropped == {
        (step, reason): count
        for step, reason, count in stored(demo, "SELECT step, reason, COUNT(*) FROM rejected GROUP BY step, reason")
    }
    agreement, confidence = report["agreement"], report["confidence"]
    assert sum(agreement["kept"]["counts"]) == sum(confidence["kept"]["counts"]) == len(examples)
    assert sum(confidence["dropped"]["counts"]) == dropped["ensemble", "low_confidence"]
    assert confidence["kept"]["mean"] == pytest.approx(fmean(row["confidence"] for row in examples))
    assert agreement["kept"]["mean"] == pytest.approx(fmean(row["agreement"] for row in examples))
    assert agreement["kept_rows"]["voters"] == ["instance", "simulated-a", "simulated-b"]
    assert agreement["kept_rows"]["means"][0][2] == pytest.approx(fmean(row["matrix"][0][2] for row in examples))
    used = stored(demo, "SELECT SUM(prompt_tokens), SUM(completion_tokens), COUNT(*) FROM request")[0]
    assert (report["prompt_tokens"], report["completion_tokens"]) == used[:2]
    assert sum(map(sum, report["throughput"]["counts"].values())) == used[2]
    outputs = next(words for words in report["words"] if words["part"] == "output")
    assert [outputs["before"]["mean"], outputs["after"]["mean"]] == pytest.approx(report["mean_words"])


def test_programs_find_the_keys_where_they_were(demo: Path) -> None:
    assert " ".join(numbers(demo)) == (
        "report_version run state version profile strategy examples kinds selected_from voters mean_words prompt_tokens"
        " completion_tokens cost has_prices funnels drops confidence agreement wins words nearest seeds_are_known"
        " novelty_threshold verbs models throughput looks settings merged barred standings selected unpriced looked_up"
    )


def test_templates_use_what_they_are_given_and_nothing_else() -> None:
    templates = environment()
    sources = [str(templates.loader and templates.loader.get_source(templates, name)[0]) for name in TEMPLATES]
    used = set().union(*(find_undeclared_variables(templates.parse(source)) for source in sources))
    assert used == {field.name for field in fields(Context)}
    with pytest.raises(UndefinedError):
        templates.from_string("{{ totals.no_such_number }}").render(totals=series([], unit_edges(2)))


def test_the_funnel_adds_up(demo: Path) -> None:
    for funnel in numbers(demo)["funnels"]:
        kept = {stage["name"]: (stage["kept"], stage["dropped"]) for stage in funnel["stages"]}
        assert kept["examples"][0] + kept["examples"][1] == kept["answered"][0] == kept["instances"][0]
        assert kept["instructions"][0] == kept["completions"][0]
        assert kept["replies"][0] > 0


def test_the_nearest_seed_is_the_nearest(demo: Path) -> None:
    seeds = {
        kind: [word_tokens(task.instruction) for task in load_seed_tasks() if task.kind == kind]
        for kind in ("input_output", "output_only")
    }
    nearest = [
        max(lcs_f1(seed, word_tokens(text)) for seed in seeds[kind])
        for kind, text in stored(demo, "SELECT kind, text FROM instruction")
    ]
    histograms = numbers(demo)["nearest"]
    assert histograms["seed"]["mean"] == pytest.approx(fmean(nearest))
    assert sum(histograms["pool"]["counts"]) == len(nearest)


def test_a_run_ends_with_its_report_and_the_same_run_gives_the_same_bytes(
    finished_run: Path, demo: Path, copy: Path, cli: Cli
) -> None:
    assert cli("report", finished_run, "--to", "again.html").returncode == 0
    assert (copy.parent / "again.html").read_bytes() == (finished_run / "report.html").read_bytes()
    page = written(demo)
    assert "57 instruction-tuning examples" in " ".join(page.text.split())
    assert "demo run & more" in page.text
    done = cli("ensemble", "--run", copy, "--strategy", "consensus", "--keep", "0.25")
    assert done.returncode == 0, done.stderr
    page = Page(copy / "report.html")
    assert f"{len(rows(copy / 'examples.jsonl'))} instruction-tuning examples" in " ".join(page.text.split())
    assert "consensus" in page.text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["demo", "hostile_run"])
def test_nothing_is_loaded_and_nothing_runs(name: str, request: pytest.FixtureRequest) -> None:
    page = Page(request.getfixturevalue(name) / "report.html")
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "audio", "video", "base"}
    for tag, attributes in page.elements:
        assert not any(attribute.startswith("on") for attribute in attributes), attributes
        for attribute in ("href", "src", "xlink:href"):
            assert (attributes.get(attribute) or "#").startswith(("#", "data:,")), (tag, attributes)
    style = page.bytes.decode().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    policy = [attributes["content"] for _, attributes in page.elements if "http-equiv" in attributes]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_every_chart_has_a_name_and_a_table(demo: Path) -> None:
    page = Page(demo / "report.html")
    pictures = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(pictures) >= 6
    assert all(picture.get("role") == "img" and picture.get("aria-label") for picture in pictures)
    assert sum(tag == "table" for tag, _ in page.elements) >= 8


@pytest.mark.slow
def test_what_models_write_is_text(hostile_run: Path) -> None:
    page = Page(hostile_run / "report.html")
    assert HOSTILE.replace("\u202e", "[U+202E]") in page.text
    assert "\u202e" not in page.text
    assert "characters in all" in page.text
    assert len(page.bytes) < 300_000
    assert max(map(len, page.text.split())) < 2_000


def test_characters_that_cannot_be_seen_are_named(copy: Path) -> None:
    text = "\x00nul \x1b[31mred\u2066 turned\u202e \ud7ffok </style><!--" + "y" * 100_000
    change(copy, "INSERT INTO rejected VALUES (NULL, 'parse', 'output_only', 'odd_one', ?, '', x'', '')", text)
    change(copy, "UPDATE example SET row = json_set(row, '$.output', json('\"half \\ud800\"'))")
    page = written(copy)
    assert "[U+0000]nul [U+001B][31mred[U+2066] turned[U+202E]" in page.text
    assert f"{len(text):,} characters in all" in page.text
    assert "half \ufffd" in page.text
    assert "odd_one" in page.text


def test_a_run_that_goes_on_or_was_stopped_says_so(copy: Path) -> None:
    change(copy, "UPDATE meta SET value = 'running' WHERE name = 'state'")
    with FileLock(copy / "run.db.lock"):
        assert numbers(copy)["state"] == "running"
        assert "The run is still going on" in written(copy).text
    assert "The run was stopped before its end" in written(copy).text


def test_what_a_filter_dropped_has_no_confidence(copy: Path) -> None:
    before = numbers(copy)
    insert = "INSERT INTO rejected VALUES (NULL, 'ensemble', 'output_only', ?, 'Ring me.', '', x'', ?)"
    change(copy, insert, "language", "jv (0.077), not en (0.009)")
    change(copy, insert, "contaminated", "mmlu.parquet row 3: ROUGE-L 0.818 to: Ring us.")
    change(copy, insert, "disagreement", "agreement 0.438")  # as an older version wrote it
    after = numbers(copy)
    counts = [report["confidence"]["dropped"]["counts"] for report in (before, after)]
    assert sum(counts[1]) == sum(counts[0]) + 1
    assert counts[1][8] == counts[0][8] + 1
    assert after["selected_from"] == before["selected_from"] + 3
    assert f"Step 5 dropped {sum(counts[1]) + 2} rows, 2 of them for something else" in words(written(copy))


def test_texts_with_personal_data_are_not_passed_on(copy: Path) -> None:
    sql = "INSERT INTO rejected VALUES (NULL, 'ensemble', 'output_only', ?, 'Write to ann@home.org', '', x'', ?)"
    change(copy, sql, "personal_data", "e-mail address: ann@home.org")
    change(copy, sql, "toxic", "the model says: ann@home.org")
    page = written(copy)
    assert "ann@home.org" not in page.text + json.dumps(numbers(copy))
    assert page.text.count("Not shown here") == 2
    assert {"personal_data", "toxic"} <= {drop["reason"] for drop in numbers(copy)["drops"]}


def test_every_quality_filter_has_its_words() -> None:
    assert set(QUALITY_REASONS) <= REASONS.keys()


def test_outputs_that_filters_passed_over_are_counted(copy: Path) -> None:
    change(copy, "UPDATE meta SET value = '{\"refusal\": 5}' WHERE name = 'barred'")
    assert numbers(copy)["barred"] == {"refusal": 5}
    assert "quality filters passed over some of the outputs: 5 refusal." in words(written(copy))


def test_the_sampling_is_that_of_the_requests(demo: Path) -> None:
    settings = numbers(demo)["settings"]
    assert (settings["instructions.sampling.temperature"], settings["instructions.sampling.top_k"]) == (0.7, 50)
    assert settings["outputs.sampling.temperature"] == 0


def test_paths_stay_out(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", made_examples(4))
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("example/granite", "/home/ann/models/granite-8b"))
    settings = {"models.granite.model": "/home/ann/models/granite-8b", "models.qwen.path": "/home/ann/qwen-7b"}
    change(folder, "INSERT INTO meta VALUES ('config', ?)", json.dumps(settings))
    page = written(folder)
    assert "/home" not in page.bytes.decode() + json.dumps(numbers(folder))
    assert "granite-8b" in page.text
    assert "qwen-7b" in page.text


def test_nothing_has_no_bar_and_all_rows_are_no_sample(copy: Path) -> None:
    change(copy, "DELETE FROM candidate WHERE instance IN (SELECT id FROM instance LIMIT 1)")
    change(copy, "DELETE FROM example WHERE kind = 'output_only'")
    page = written(copy)
    assert not [
        attributes
        for tag, attributes in page.elements
        if tag == "i" and "width:0.00%" in (attributes.get("style") or "")
    ]
    instances = stored(copy, "SELECT COUNT(*) FROM instance")[0][0]
    assert f"Mean over {instances - 1} rows." in words(page)


def test_an_empty_run_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    connect(tmp_path / "empty" / "run.db").close()
    page = written(tmp_path / "empty")
    assert "There are no examples in this run." in page.text
    assert numbers(tmp_path / "empty")["examples"] == 0


@pytest.mark.parametrize("table_name", ["example", "rejected", "candidate", "instance", "instruction", "request"])
def test_a_run_without_some_of_its_records_has_a_report(copy: Path, table_name: str) -> None:
    change(copy, f"DELETE FROM {table_name}")
    assert "Config and versions" in written(copy).text


def test_a_night_between_two_starts_is_left_out(copy: Path) -> None:
    before = numbers(copy)["throughput"]
    change(copy, "UPDATE request SET answered_at = answered_at + 50000 WHERE step = 'outputs'")
    after = numbers(copy)["throughput"]
    assert before["pauses"] == []
    assert [pause["seconds"] for pause in after["pauses"]] == [pytest.approx(50_000, rel=0.01)]
    assert after["active_seconds"] < 1_000
    assert sum(map(sum, after["counts"].values())) == sum(map(sum, before["counts"].values()))


def test_prices_become_cost(copy: Path) -> None:
    config = copy / "config.yaml"
    config.write_text(config.read_text().replace("input: null\n", "input: 1000.0\n"))
    report = numbers(copy)
    assert report["cost"] == pytest.approx(report["prompt_tokens"] / 1000)
    assert f"{report['cost']:,.2f} USD" in " ".join(written(copy).text.split())


def test_seeds_that_are_gone_are_said_to_be(copy: Path) -> None:
    change(
        copy,
        "UPDATE meta SET value = replace(value, '\"seed_tasks\": \"', '\"seed_tasks\": \"0') WHERE name = 'config'",
    )
    assert "the nearest seed is not known" in written(copy).text


@pytest.mark.parametrize(
    "arguments",
    [("report", "nowhere"), ("report", "copy", "--to", "copy/run.db"), ("report", "copy", "--json", "--to", "x")],
)
def test_wrong_usage_is_one_line(copy: Path, cli: Cli, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(find_spec("spacy") is not None, reason="spaCy is installed")
def test_a_parser_that_is_missing_is_one_line(demo: Path, cli: Cli) -> None:
    done = cli("report", demo, "--json", "--parser", "en_core_web_sm")
    assert done.returncode == 2
    assert done.stderr == "error: --parser: spaCy is not installed; pip install 'ensemble-instruct[verbs]'\n"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DROP TABLE candidate", "cannot be read"),
        ("UPDATE example SET row = '{' WHERE position = 1", "run.db: is damaged: "),
    ],
)
def test_a_damaged_database_is_one_line(copy: Path, cli: Cli, damage: str, words: str) -> None:
    with closing(sqlite3.connect(copy / "run.db")) as connection:
        connection.execute(damage)
        connection.commit()
    for command in ("report", "card"):
        done = cli(command, copy, "--to", "made")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert words in done.stderr
