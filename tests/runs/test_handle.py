"""Runs as objects: made, resumed, read, selected anew, exported and merged from Python."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

import ensemble_instruct as ei
from ensemble_instruct.cli import main
from ensemble_instruct.errors import EmptyError
from ensemble_instruct.records import KINDS
from ensemble_instruct.store.tables import Records
from tests.conftest import SIMULATED, rows
from tests.support.made_run import make_run

SMALL = {"instructions": {"target": {"input_output": 12, "output_only": 8}}}


def small(**overrides: Any) -> ei.Config:
    return ei.load_config(SIMULATED, overrides={**SMALL, **overrides})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ei.Run:
    return ei.run(small(), tmp_path_factory.mktemp("made") / "run", progress=False)


@pytest.fixture
def copied(made: ei.Run, tmp_path: Path) -> ei.Run:
    return ei.open_run(shutil.copytree(made.folder, tmp_path / "copied"))


def data(run: ei.Run) -> bytes:
    return (run.folder / "examples.jsonl").read_bytes()


def in_a_loop(config: ei.Config, folder: Path) -> ei.Run:
    async def cell() -> ei.Run:
        return ei.run(config, folder, progress=False)

    return asyncio.run(cell())


def awaited(config: ei.Config, folder: Path) -> ei.Run:
    return asyncio.run(ei.run_async(config, folder, progress=False))


def commanded(config: ei.Config, folder: Path) -> ei.Run:
    async def cell() -> None:
        with pytest.raises(SystemExit) as end:
            main(["run", str(folder.with_suffix(".yaml")), "--out", str(folder)])
        assert end.value.code == 0

    shutil.copy(SIMULATED, folder.with_suffix(".yaml"))
    text = folder.with_suffix(".yaml").read_text()
    text = text.replace("input_output: 40", "input_output: 12").replace("output_only: 30", "output_only: 8")
    folder.with_suffix(".yaml").write_text(text)
    asyncio.run(cell())
    return ei.open_run(folder)


@pytest.mark.parametrize("way", [in_a_loop, awaited, commanded])
def test_in_a_running_loop_the_same_run_is_made(
    made: ei.Run, tmp_path: Path, way: Callable[[ei.Config, Path], ei.Run]
) -> None:
    run = way(small(), tmp_path / "run")
    assert run.state == "finished"
    assert data(run) == data(made)


def test_a_run_is_resumed_without_asking_anything(made: ei.Run, copied: ei.Run) -> None:
    before = copied.stats().uses
    assert data(ei.run(copied.config, str(copied.folder), progress=False)) == data(made)
    assert copied.stats().uses == before


def test_the_process_keeps_its_settings(tmp_path: Path) -> None:
    import gc
    import signal

    def settings() -> tuple[Any, ...]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        return sys.getswitchinterval(), gc.get_threshold(), gc.get_freeze_count(), *handlers

    before = settings()
    ei.run(small(), tmp_path / "run", progress=False)
    assert settings() == before


def test_nothing_is_printed_where_no_progress_is_wanted(capsys: pytest.CaptureFixture[str], copied: ei.Run) -> None:
    ei.run(copied.config, copied.folder, progress=False)
    copied.select(strategy="consensus", progress=False)
    assert capsys.readouterr() == ("", "")


def test_what_a_run_has_made(made: ei.Run) -> None:
    status, examples, rejected = made.stats(), list(made.examples()), list(made.rejected())
    assert len(examples) == status.examples > 0
    assert [example.instance.id for example in examples] == [row["id"] for row in rows(made.folder / "examples.jsonl")]
    assert all(example.output in {candidate.text for candidate in example.candidates} for example in examples)
    assert len(rejected) == sum(status.dropped.values())
    assert len(list(made.instructions())) == sum(status.kept["instructions", kind] for kind in KINDS)
    assert made.config == small().model_copy(update={"ensemble": made.config.ensemble})
    assert repr(made) == f"Run({str(made.folder)!r}): finished, {status.examples} examples"
    assert str(status.examples) in made._repr_html_()


def test_records_are_read_while_the_run_goes_on(copied: ei.Run) -> None:
    half_read = copied.examples()
    first = next(half_read)
    ei.run(copied.config, copied.folder, progress=False)
    assert [first, *half_read] == list(copied.examples())


def test_data_frames_have_a_row_a_record(made: ei.Run) -> None:
    pytest.importorskip("pandas")
    frame = made.to_pandas()
    assert [*frame["id"]] == [row["id"] for row in rows(made.folder / "examples.jsonl")]
    assert list(frame.columns) == list(rows(made.folder / "examples.jsonl")[0])
    assert len(made.to_pandas("rejected")) == len(list(made.rejected()))
    assert [*made.to_pandas("instructions")["text"]] == [record.text for record in made.instructions()]
    with pytest.raises(ei.EnsembleInstructError, match="answers: no such records; there are examples, rejected, instr"):
        made.to_pandas("answers")  # type: ignore[arg-type]


@pytest.mark.parametrize("what", get_args(Records))
def test_tables_without_rows_have_their_columns(tmp_path: Path, made: ei.Run, what: Records) -> None:
    """As those of a run that has just begun, or one that keeps nothing."""
    pytest.importorskip("pandas")
    make_run(tmp_path / "run", [])
    assert len(ei.open_run(tmp_path / "run").to_pandas(what)) == 0
    assert [*ei.open_run(tmp_path / "run").to_pandas(what)] == [*made.to_pandas(what)]
    pytest.importorskip("datasets")
    assert ei.open_run(tmp_path / "run").to_dataset(what).column_names == [*made.to_pandas(what)]


def test_datasets_have_the_same_rows(made: ei.Run) -> None:
    pytest.importorskip("datasets")
    assert made.to_dataset()["id"][:] == [row["id"] for row in rows(made.folder / "examples.jsonl")]
    assert made.to_dataset("rejected").num_rows == len(list(made.rejected()))
    similar = next(made.instructions()).most_similar
    assert made.to_dataset("instructions")[0]["most_similar"] == [{"text": text, "score": at} for text, at in similar]


@pytest.mark.parametrize(("method", "package"), [("to_pandas", "pandas"), ("to_dataset", "datasets")])
def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, made: ei.Run, method: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    expected = f"{method}: needs {package}, which is not installed; pip install {package}"
    with pytest.raises(ei.EnsembleInstructError, match=expected):
        getattr(made, method)()


def test_selecting_anew_asks_nothing_and_is_kept(copied: ei.Run) -> None:
    before = copied.stats().uses
    assert copied.select(strategy="consensus", keep=0.25, progress=False) is copied
    assert copied.stats().uses == before
    assert (copied.config.strategy, copied.config.ensemble.keep) == ("consensus", 0.25)
    selected = ei.ensemble(
        [{candidate.voter: candidate.text for candidate in example.candidates} for example in copied.examples()],
        tasks=[(example.instance.instruction, example.instance.input) for example in copied.examples()],
        strategy="consensus",
    )
    assert [each.output for each in selected] == [example.output for example in copied.examples()]
    with pytest.raises(ei.EnsembleInstructError, match="give either 'min_confidence' or 'keep', not both"):
        copied.select(min_confidence=0.5, keep=0.5)
    with pytest.raises(ei.EnsembleInstructError, match="give either 'min_agreement' or 'keep', not both"):
        copied.select(min_agreement=0.5, keep=0.5)
    with pytest.warns(DeprecationWarning, match=r"^min_agreement is called min_confidence now$") as caught:
        copied.select(min_agreement=0.25, progress=False)
    assert [each.filename for each in caught] == [__file__]
    assert (copied.config.ensemble.min_confidence, copied.config.ensemble.keep) == (0.25, None)


def test_exports_reports_and_cards(made: ei.Run, tmp_path: Path) -> None:
    exported = made.export(tmp_path / "train.jsonl", form="messages", system="Be brief.")
    written = rows(tmp_path / "train.jsonl")
    assert len(written) == exported.main.rows == made.stats().examples
    assert written[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    report = made.report()
    assert report.save(tmp_path / "report.html").read_bytes() == (made.folder / "report.html").read_bytes()
    assert report._repr_html_().startswith("<iframe srcdoc=")
    assert "<script" not in report._repr_html_()
    assert made.card().startswith("---\n")
    with pytest.raises(ei.EnsembleInstructError, match="no such format"):
        made.export(tmp_path / "x", form="csv")


def test_an_edited_file_is_noticed(copied: ei.Run, tmp_path: Path) -> None:
    (copied.folder / "examples.jsonl").write_text("{}\n")
    for call in (copied.report, copied.card, lambda: copied.export(tmp_path / "x.jsonl", form="alpaca")):
        with pytest.raises(ei.EnsembleInstructError, match="was edited"):
            call()
    assert copied.card(ignore_edits=True)
    assert copied.report(ignore_edits=True).html


def test_runs_are_merged(made: ei.Run, tmp_path: Path) -> None:
    other = ei.run(small(seed=7), tmp_path / "other", progress=False)
    both = ei.merge([made, other.folder], tmp_path / "both", progress=False)
    assert both.state == "finished"
    assert {example.instance.run for example in both.examples()} == {"run", "other"}


def test_what_a_run_will_ask_is_known_before() -> None:
    planned = ei.estimate(small())
    assert {row.model for row in planned} == {"simulated-base", "simulated-a", "simulated-b"}
    assert planned == ei.estimate(json.loads(small().model_dump_json()))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda folder: ei.open_run(folder / "none"), "is not a run folder"),
        (lambda folder: ei.run(folder / "none.yaml", folder), "none.yaml: cannot be read"),
        (lambda folder: ei.run(small(), Path(SIMULATED)), "is a file; name a folder"),
        (lambda folder: ei.run(small(), folder / "run", budget=0), "--budget 0: is no sum of money"),
        (lambda folder: ei.run(small(), folder / "run", budget=1), "no model of the config has a price"),
        (lambda folder: ei.merge([], folder / "both"), "give two runs or more to merge"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, call: Callable[[Path], Any], message: str) -> None:
    with pytest.raises(ei.EnsembleInstructError, match=re.escape(message)) as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_run_that_cannot_be_read_is_shown_with_the_reason(finished_run: Path, tmp_path: Path) -> None:
    run = ei.open_run(shutil.copytree(finished_run, tmp_path / "run"))
    (run.folder / "run.db").write_bytes(b"SQLite format 3\0" + b"damaged" * 500)
    assert "run.db" in repr(run)
    assert "run.db" in run._repr_html_()


def test_an_end_without_an_example_is_an_error_or_if_that_is_allowed_a_warning(
    copied: ei.Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def warned() -> bool:
        said = [record.levelname for record in caplog.records if "no example was made: " in record.getMessage()]
        caplog.clear()
        return "WARNING" in said

    strict = small(ensemble={"min_confidence": 1.0})
    with pytest.raises(EmptyError, match=r"no example was made: .*low_confidence.*allow"):
        ei.run(strict, tmp_path / "strict", progress=False)
    run = ei.open_run(tmp_path / "strict")
    assert (run.state, list(run.examples()), data(run)) == ("finished", [], b"")
    with pytest.raises(EmptyError, match="no example was made: "):
        asyncio.run(ei.run_async(strict, tmp_path / "strict", progress=False))
    assert not warned()
    assert list(ei.run(strict, tmp_path / "strict", progress=False, allow_empty=True).examples()) == []
    assert warned()
    copied.select(progress=False)
    assert not warned()
    assert copied.select(min_confidence=1.0, progress=False) is copied
    assert warned()
    assert list(ei.merge([run, copied], tmp_path / "all", progress=False).examples()) == []
    assert warned()
    with pytest.raises(EmptyError, match="nothing was written"):
        run.export(tmp_path / "out.jsonl", form="alpaca")
    assert not (tmp_path / "out.jsonl").exists()
    assert run.export(tmp_path / "out.jsonl", form="alpaca", allow_empty=True).main.rows == 0
