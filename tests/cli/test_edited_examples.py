"""An `examples.jsonl` that somebody edited is never passed over without a word."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from ensemble_instruct import open_run
from ensemble_instruct.errors import InputFileError
from tests.conftest import SIMULATED, Cli

COMMANDS = (
    ("export", "run", "--format", "original", "--to", "made"),
    ("report", "run", "--to", "made"),
    ("report", "run", "--json"),
    ("card", "run", "--to", "made"),
)


@pytest.fixture
def examples(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run")) / "examples.jsonl"


def _appended(text: bytes) -> bytes:
    return text + text.splitlines(keepends=True)[0]


def _shortened(text: bytes) -> bytes:
    return b"".join(text.splitlines(keepends=True)[:-1])


def _one_byte_changed(text: bytes) -> bytes:
    at = text.index(b'"output": "') + len(b'"output": "')
    return text[:at] + (b"x" if text[at : at + 1] != b"x" else b"y") + text[at + 1 :]


def forget_digest(folder: Path) -> None:
    """Make a run as older versions wrote it."""
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        assert connection.execute("DELETE FROM meta WHERE name = 'examples'").rowcount == 1
        connection.commit()


@pytest.mark.parametrize("is_old", [False, True])
@pytest.mark.parametrize("edit", [_appended, _shortened, _one_byte_changed])
def test_commands_stop_at_edits_or_go_on_without_them(
    cli: Cli, tmp_path: Path, examples: Path, edit: Callable[[bytes], bytes], is_old: bool
) -> None:
    if is_old:
        forget_digest(examples.parent)
    before: dict[tuple[str, ...], tuple[str, bytes]] = {}
    for command in COMMANDS:
        done = cli(*command)
        assert (done.returncode, done.stderr) == (0, "")
        before[command] = done.stdout, (tmp_path / "made").read_bytes()
    times = examples.stat()
    examples.write_bytes(edit(examples.read_bytes()))
    os.utime(examples, ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / "made").unlink()
    for command in COMMANDS:
        done = cli(*command)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert "run/examples.jsonl: was edited" in done.stderr
        assert "--ignore-edits" in done.stderr
        assert not (tmp_path / "made").exists()
    for command in COMMANDS:
        done = cli(*command, "--ignore-edits")
        assert (done.returncode, done.stderr) == (0, "")
        assert (done.stdout, (tmp_path / "made").read_bytes()) == before[command]


@pytest.mark.parametrize("command", [("run", "--out", "run"), ("select", "run")])
def test_edits_are_set_aside_before_the_file_is_written_anew(
    cli: Cli, examples: Path, command: tuple[str, ...]
) -> None:
    made = examples.read_bytes()
    for name in ("examples.edited.jsonl", "examples.edited-2.jsonl"):
        edited = _appended(made)
        examples.write_bytes(edited)
        done = cli(*command)
        assert done.returncode == 0
        assert f"was edited; it is {name} now" in done.stderr
        assert (examples.with_name(name).read_bytes(), examples.read_bytes()) == (edited, made)
    assert cli(*COMMANDS[0]).returncode == 0
    assert "edited" not in cli(*command).stderr


def test_a_merge_says_which_runs_were_edited(cli: Cli, tmp_path: Path, examples: Path) -> None:
    assert cli("run", SIMULATED, "--out", "other", "--set", "seed=1").returncode == 0
    examples.write_bytes(_appended(examples.read_bytes()))
    done = cli("merge", "run", "other", "--to", "both")
    assert done.returncode == 0
    assert "run/examples.jsonl: was edited; merged is what the run made" in done.stderr
    assert "other/examples.jsonl" not in done.stderr


def test_examples_that_are_gone_or_the_same_again_are_no_edit(cli: Cli, examples: Path) -> None:
    text = examples.read_bytes()
    examples.write_bytes(_appended(text))
    examples.write_bytes(text)
    assert cli(*COMMANDS[0]).returncode == 0
    examples.unlink()
    for command in COMMANDS:
        assert cli(*command).returncode == 0


def test_a_digest_that_an_older_version_left_behind_does_no_harm(cli: Cli, examples: Path) -> None:
    with closing(sqlite3.connect(examples.parent / "run.db")) as connection:
        connection.execute("UPDATE meta SET value = 'of another file' WHERE name = 'examples'")
        connection.commit()
    assert cli(*COMMANDS[0]).returncode == 0


def test_the_edits_are_exported_from_the_file_itself(cli: Cli, tmp_path: Path, examples: Path) -> None:
    edited = _one_byte_changed(examples.read_bytes())
    examples.write_bytes(edited)
    done = cli("export", examples, "--format", "original", "--to", "made")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "made").read_bytes().count(b"\n") == edited.count(b"\n")


def test_a_run_in_python_stops_at_edits_too(tmp_path: Path, examples: Path) -> None:
    examples.write_bytes(_appended(examples.read_bytes()))
    opened = open_run(examples.parent)
    for read in (opened.report, opened.card, partial(opened.export, tmp_path / "made", form="original")):
        with pytest.raises(InputFileError, match="was edited"):
            read()
        assert read(ignore_edits=True)
