"""Log records: one line each, on stderr and in the file, as text or JSON, whatever they hold."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.live import Live
from rich.text import Text

from ensemble_instruct.cli.logs import LogFormat, logging_to
from ensemble_instruct.errors import InputFileError
from tests.conftest import rows
from tests.support.forks import unwritable

ODD = "one\ntwo\r\nthree\x0bfour\x1b[2Jfive\x00six\x85seven\u2028eight\ud800nine\x9b\u202eten [bold]:smile:[/bold]"
FORMS: tuple[LogFormat, ...] = ("text", "json")
log = logging.getLogger("ensemble_instruct.somewhere")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Whatever a test does, the loggers are afterwards as they were."""
    loggers = [logging.getLogger(), logging.getLogger("ensemble_instruct")]
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    yield
    assert [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers] == before


def lines(path: Path) -> list[str]:
    """The lines as any reader could split them."""
    return path.read_text(encoding="utf-8").splitlines()


def test_text_goes_to_stderr_from_warning_and_to_the_file_from_info(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to(None, tmp_path / "a.log", "text"):
        log.debug("unseen")
        log.info("run started", extra={"models": 3, "folder": "my run", "empty": "", "rate": 0.5})
        log.warning("model %s: %s from its server", "base", 429, extra={"model": "base", "cause": "429", "count": 7})
        log.error("it failed")
    log.warning("afterwards")
    assert capsys.readouterr().err == "warning: model base: 429 from its server\nerror: it failed\n"
    found = lines(tmp_path / "a.log")
    assert [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", "", line) for line in found] == [
        'INFO run started models=3 folder="my run" empty="" rate=0.5',
        "WARNING model base: 429 from its server model=base cause=429 count=7",
        "ERROR it failed",
    ]


def test_json_has_the_fields_of_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = {"model": "base", "count": 3, "rate": 0.25, "none": None, "list": [1, ("a", {2: "b"})]}
    not_held = {"path": Path("x"), "infinite": float("inf"), "bytes": b"y"}
    with logging_to(None, tmp_path / "a.log", "json"):
        log.info("quiet")
        log.warning("retry", extra={**held, **not_held, "level": "mine", "time": "late"})
    (on_stderr,) = capsys.readouterr().err.splitlines()
    quiet, row = rows(tmp_path / "a.log")
    assert json.loads(on_stderr) == row
    assert quiet["level"] == "info"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row.pop("time"))
    assert row == {
        "level": "warning",
        "logger": "ensemble_instruct.somewhere",
        "message": "retry",
        **held,
        "list": [1, ["a", {"2": "b"}]],
        "path": "x",
        "infinite": "inf",
        "bytes": "b'y'",
        "level_": "mine",
        "time_": "late",
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("through_console", [False, True])
def test_an_odd_message_is_one_line_without_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: LogFormat, through_console: bool
) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=20) if through_console else None
    with logging_to(console, tmp_path / "a.log", form):
        log.warning("%s", ODD, extra={"odd": ODD, "nested": [ODD, {ODD: ODD}], ODD: 1})
    said = stream.getvalue() if through_console else capsys.readouterr().err
    assert said.count("\n") == 1
    assert "[bold]:smile:[/bold]" in said
    for text in (said, (tmp_path / "a.log").read_text(encoding="utf-8")):
        (line,) = text.splitlines()
        assert line.isprintable()
        shown = json.loads(line)["message"] if form == "json" else line
        assert r"one two three four\x1b[2Jfive\x00six seven eight\ud800nine\x9b\u202eten" in shown


@settings(max_examples=80, deadline=None)
@given(
    message=st.text(st.characters(exclude_categories=())),
    extra=st.dictionaries(
        st.text(st.characters(exclude_categories=())).map(lambda key: f"x{key}"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    ),
)
@pytest.mark.parametrize("form", FORMS)
def test_any_record_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, form: LogFormat, message: str, extra: dict[str, Any]
) -> None:
    file = tmp_path_factory.mktemp("logs") / "a.log"
    stream = io.StringIO()
    with logging_to(Console(file=stream), file, form):
        log.warning("%s", message, extra=extra)
        log.info("the next")
    assert len(stream.getvalue().splitlines()) == 1
    first, second = lines(file)
    assert "the next" in second
    if form == "json":
        assert json.loads(first, parse_constant=pytest.fail).keys() >= {"time", "level", "logger", "message"}


@pytest.mark.parametrize("form", FORMS)
def test_an_exception_is_one_field_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: LogFormat
) -> None:
    with logging_to(None, tmp_path / "a.log", form):
        try:
            raise ValueError("a\nb")
        except ValueError:
            log.exception("it broke", extra={"model": "base"}, stack_info=True)
        log.error("no exception here", exc_info=True)
    first, second = lines(tmp_path / "a.log")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    if form == "json":
        assert json.loads(first)["exception"] == "ValueError: a b"
        assert "exception" not in json.loads(second)
    else:
        assert first.endswith('ERROR it broke model=base exception="ValueError: a b"')
        assert said == ["error: it broke (ValueError: a b)", "error: no exception here"]


def test_a_very_long_text_is_cut(tmp_path: Path) -> None:
    with logging_to(Console(file=io.StringIO()), tmp_path / "a.log", "json"):
        log.info("m" * 100_000, extra={"text": "x" * 100_000})
    (row,) = rows(tmp_path / "a.log")
    assert len(row["message"]) == len(row["text"]) == 2001


def test_arguments_that_do_not_fit_their_message_do_no_harm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(None, tmp_path / "a.log", "text"):
        log.warning("%d requests", "many")
    assert capsys.readouterr().err == "warning: %d requests\n"
    assert lines(tmp_path / "a.log")[0].endswith("WARNING %d requests")


def test_the_file_is_appended_to_and_closed_also_after_errors(tmp_path: Path) -> None:
    file = tmp_path / "a.log"

    def block(number: int) -> None:
        with logging_to(None, file, "text"):
            log.info("block %d", number)
            assert lines(file)[-1].endswith(f"block {number}")  # on disk at once
            raise KeyError

    for number in range(3):
        with pytest.raises(KeyError):
            block(number)
    assert [line.split(" ", 2)[2] for line in lines(file)] == ["block 0", "block 1", "block 2"]


def test_without_a_file_only_warnings_pass(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(None, None, "text"):
        assert not log.isEnabledFor(logging.INFO)
        log.warning("a")
    assert capsys.readouterr().err == "warning: a\n"


def test_other_loggers_and_the_root_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with logging_to(None, tmp_path / "a.log", "text"):
        log.warning("ours")
        logging.getLogger("elsewhere").warning("theirs")
    log.warning("ours again")
    assert [record.message for record in caplog.records] == ["theirs", "ours again"]
    assert len(lines(tmp_path / "a.log")) == 1


@pytest.mark.parametrize("place", ["folder", "no/such/folder/a.log", "locked/a.log"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    file = unwritable(tmp_path / "locked") / "a.log" if place.startswith("locked") else tmp_path / place
    with (
        pytest.raises(InputFileError, match=r"cannot be written: .*; choose another place for --log-file") as caught,
        logging_to(None, file, "text"),
    ):
        pytest.fail("the block must not run")
    assert str(caught.value).startswith(f"{file}: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_is_told_of_once_and_the_block_goes_on(capsys: pytest.CaptureFixture[str], form: LogFormat) -> None:
    with logging_to(None, Path("/dev/full"), form):
        for _ in range(3):
            log.info("unwritable")
        log.warning("still heard")
    first, second = capsys.readouterr().err.splitlines()
    assert "the log file cannot be written: No space left on device" in first
    assert "still heard" in second


def test_lines_and_a_live_display_do_not_break_each_other(tmp_path: Path) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=40, color_system=None)
    with logging_to(console, tmp_path / "a.log", "text"), Live(Text("the bars"), console=console, auto_refresh=False):
        log.warning("a message that is a good deal wider than the terminal of this test is")
    erased = "\r\x1b[2K"
    line = "warning: a message that is a good deal wider than the terminal of this test is\n"
    assert f"the bars{erased}{line}the bars" in stream.getvalue()


def test_importing_the_module_loads_nothing_heavy() -> None:
    heavy = "[m for m in ('rich', 'aiohttp', 'pydantic') if m in sys.modules]"
    code = f"import sys, ensemble_instruct.cli.logs; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
