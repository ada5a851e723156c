"""Where a file goes: permissions that stay, streams that are never renamed over, and what another user has laid."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ensemble_instruct.errors import InputFileError, StoreError
from ensemble_instruct.files.atomic import whole_file
from ensemble_instruct.files.atomic_folder import whole_folder
from ensemble_instruct.files.destination import descriptor_of, own_path
from ensemble_instruct.files.places import require_writable
from ensemble_instruct.store.store import opened_store
from tests.conftest import COMMAND, Cli
from tests.support.made_run import made_examples, make_run
from tests.support.processes import terminal_environment

SOMEBODY = 65534
as_superuser = pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can make another user's files")
COMPLETION = (
    '{"instruction": "Name a fruit.", "raw_instances": "output: Apple"}\n{"instruction": "b", "raw_instances": ""}\n'
)
WRITING = {
    "export": "export run --format messages --to {}",
    "export a table": "export run --format parquet --to {}",
    "export a file": "export tasks.jsonl --format original --to {}",
    "card": "card run --to {}",
    "report": "report run --to {}",
    "report of a file": "report tasks.jsonl --to {}",
    "dedup": "dedup tasks.jsonl --to {}",
    "parse": "parse --instances completions.jsonl --to {}",
    "init": "init {}",
}
every_writer = pytest.mark.parametrize("writer", WRITING)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """What the commands read."""
    make_run(tmp_path / "run", made_examples(6))
    rows = [f'{{"instruction": "Count to {number}.", "input": "", "output": "{number}"}}\n' for number in range(3)]
    (tmp_path / "tasks.jsonl").write_text("".join(rows))
    (tmp_path / "completions.jsonl").write_text(COMPLETION)
    return tmp_path


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[bytes]:
    """What a line of the shell ends with, in which $EI is the command."""
    environment = terminal_environment() | {"EI": COMMAND}
    return subprocess.run(
        ["sh", "-c", line], cwd=folder, env=environment, capture_output=True, timeout=300, check=False
    )


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("before", [0o600, 0o640, 0o644, 0o664, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, before: int) -> None:
    path = tmp_path / "train.jsonl"
    path.touch()
    path.chmod(before)
    (tmp_path / "link").symlink_to(path)
    for name in ("train.jsonl", "link"):
        with whole_file(tmp_path / name) as file:
            file.write(name.encode())
    assert (mode(path), path.read_text()) == (before, "link")
    assert (tmp_path / "link").is_symlink()


@pytest.mark.usefixtures("usual_umask")
def test_what_is_new_follows_the_umask(tmp_path: Path) -> None:
    with whole_file(tmp_path / "new"), whole_folder(tmp_path / "folder"):
        pass
    assert (mode(tmp_path / "new"), mode(tmp_path / "folder")) == (0o644, 0o755)
    os.umask(0o077)
    with whole_file(tmp_path / "narrow"):
        pass
    assert mode(tmp_path / "narrow") == 0o600


@pytest.mark.usefixtures("usual_umask")
def test_a_folder_hands_its_permissions_on_and_that_of_a_run_is_for_its_owner(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir(0o700)
    with whole_folder(tmp_path / "old") as folder:
        (folder / "train.jsonl").touch()
    assert mode(tmp_path / "old") == 0o700
    with whole_folder(tmp_path / "run", for_owner=True) as folder:
        (folder / "prompts").mkdir()
        (folder / "prompts" / "a.j2").touch()
    made = [tmp_path / "run", tmp_path / "run" / "prompts", tmp_path / "run" / "prompts" / "a.j2"]
    assert [mode(path) for path in made] == [0o700, 0o700, 0o600]


def test_a_run_is_for_its_owner_alone(finished_run: Path, cli: Cli, tmp_path: Path) -> None:
    for run in (finished_run, tmp_path / "selected"):
        if run != finished_run:
            subprocess.run(["cp", "-rp", finished_run, run], check=True)
            assert cli("select", run, "--keep", "0.5").returncode == 0
            assert cli("export", run, "--format", "parquet", "--to", run / "data/").returncode == 0
        assert mode(run) == 0o700
        files = [path for path in run.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
        assert {"config.yaml", "run.db", "examples.jsonl", "report.html"} <= {path.name for path in files}
        assert {path.name: mode(path) for path in files} == {path.name: 0o600 for path in files}


@every_writer
def test_stdout_and_a_pipe_get_what_a_file_gets(place: Path, writer: str) -> None:
    command = f'"$EI" {WRITING[writer]}'
    to_file = shell(place, command.format("file"))
    assert to_file.returncode == 0, to_file.stderr
    expected = (place / "file").read_bytes()
    before = {path.name for path in place.iterdir()}
    for to in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        done = shell(place, command.format(to))
        assert done.returncode == 0, done.stderr
        assert done.stdout == expected
    os.mkfifo(place / "pipe")
    done = shell(place, f"cat pipe & {command.format('pipe')} > said; wait")
    assert (done.returncode, done.stdout) == (0, expected)
    assert stat.S_ISFIFO((place / "pipe").stat().st_mode)
    assert {path.name for path in place.iterdir()} == before | {"pipe", "said"}


@every_writer
def test_what_stdout_is_appended_to_keeps_what_it_held(place: Path, writer: str) -> None:
    (place / "all").write_text("before\n")
    command = f'"$EI" {WRITING[writer]}'
    assert shell(place, command.format("file")).returncode == 0
    done = shell(place, command.format("/dev/stdout") + " >> all")
    assert done.returncode == 0, done.stderr
    assert (place / "all").read_bytes() == b"before\n" + (place / "file").read_bytes()


@every_writer
def test_a_device_that_takes_nothing_is_told_in_one_line(place: Path, writer: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("the system has no /dev/full")
    done = shell(place, f'"$EI" {WRITING[writer]}'.format("/dev/full"))
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: /dev/full: cannot be written: No space left on device; free some space")
    assert done.stderr.count(b"\n") == 1
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_reader_that_goes_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = threading.Thread(target=lambda: (tmp_path / "pipe").open("rb").close())
    reader.start()
    with pytest.raises(StoreError, match="who read it has gone, so it is not whole"):
        _write_once_read(tmp_path / "pipe", reader)


def _write_once_read(pipe: Path, reader: threading.Thread) -> None:
    with whole_file(pipe) as file:
        reader.join()
        file.write(b"x" * 2**20)


def test_only_an_open_file_that_was_handed_over_is_written(tmp_path: Path, place: Path) -> None:
    """The others are of the command's own work: its database is one."""
    with (tmp_path / "own").open("wb") as file, pytest.raises(InputFileError, match="is not open for writing"):
        descriptor_of(Path(f"/dev/fd/{file.fileno()}"))
    done = shell(place, '"$EI" card run --to /dev/fd/3 3> third')
    assert (done.returncode, done.stdout) == (0, b"/dev/fd/3 written\n")
    assert (place / "third").read_bytes().startswith(b"---\n")
    for refused in ("/dev/fd/9", "/dev/stdin < tasks.jsonl"):
        assert b"is not open for writing" in shell(place, f'"$EI" card run --to {refused}').stderr


def test_stdout_is_no_folder_and_a_step_that_asks_needs_a_store(place: Path) -> None:
    done = shell(place, '"$EI" export run --format hub --dry-run --to -')
    assert (done.returncode, b"need a folder" in done.stderr) == (2, True)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def laid(path: Path) -> Path:
    os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
    return path


@as_superuser
@pytest.mark.parametrize("sticky", [0o1777, 0o777])
def test_a_link_that_another_user_has_laid_is_not_followed(open_folder: Path, place: Path, sticky: int) -> None:
    open_folder.chmod(sticky)
    victim = open_folder.parent / "thesis"
    victim.write_text("years of work")
    (open_folder / "out").symlink_to(victim)
    (open_folder / "folder").symlink_to(open_folder.parent)
    for name in ("out", "folder"):
        laid(open_folder / name)
    for to in (open_folder / "out", open_folder / "folder" / "thesis"):
        for command in (*WRITING.values(), "run run/config.yaml --out {}", "run run/config.yaml --out r --log-file {}"):
            done = shell(place, f'"$EI" {command}'.format(to))
            assert done.returncode == 2
            assert b"was laid there by another user, in a folder that all may write to" in done.stderr
    assert victim.read_text() == "years of work"
    (open_folder / "own").symlink_to(victim)
    with whole_file(open_folder / "own") as file:
        file.write(b"more work")
    assert victim.read_text() == "more work"


@as_superuser
def test_a_pipe_that_another_user_has_laid_is_not_opened(open_folder: Path, place: Path) -> None:
    os.mkfifo(open_folder / "pipe")
    laid(open_folder / "pipe")
    done = shell(place, f'"$EI" card run --to {open_folder}/pipe')
    assert (done.returncode, b"was laid there by another user" in done.stderr) == (2, True)
    done = shell(place, f'"$EI" run run/config.yaml --out new --log-file {open_folder}/pipe')
    assert (done.returncode, b"was laid there by another user" in done.stderr) == (2, True)


def test_a_log_pipe_that_nobody_reads_holds_up_nothing(place: Path) -> None:
    os.mkfifo(place / "pipe")
    done = shell(place, '"$EI" run run/config.yaml --out new --log-file pipe')
    assert done.returncode == 2
    assert (
        done.stderr == b"error: pipe: cannot be written: nobody reads this pipe; choose another place for --log-file\n"
    )


@as_superuser
def test_what_another_user_has_left_over_is_not_touched(open_folder: Path) -> None:
    planted = open_folder / ".data.ab12cd34.partial"
    (planted / "old").mkdir(parents=True)
    (planted / "old" / "train.jsonl").write_text("poison")
    (open_folder / ".out.ab12cd34.partial").symlink_to(planted / "old" / "train.jsonl")
    for path in (planted, open_folder / ".out.ab12cd34.partial"):
        laid(path)
    with pytest.raises(KeyError), whole_folder(open_folder / "data"):
        raise KeyError
    assert not (open_folder / "data").exists()
    assert (planted / "old" / "train.jsonl").read_text() == "poison"
    with whole_file(open_folder / "out") as file:
        file.write(b"mine")
    assert (open_folder / ".out.ab12cd34.partial").is_symlink()


@as_superuser
@pytest.mark.usefixtures("usual_umask")
def test_a_file_laid_by_another_user_does_not_say_who_may_read(open_folder: Path) -> None:
    path = open_folder / "out"
    path.touch()
    path.chmod(0o666)
    laid(path)
    with whole_file(path) as file:
        file.write(b"mine")
    assert (mode(path), path.stat().st_uid) == (0o644, 0)
    with pytest.raises(InputFileError, match="was laid there by another user"):
        own_path(laid(path), opens=True)


@as_superuser
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", ".lock"])
def test_no_file_of_a_store_is_one_that_another_user_has_laid(open_folder: Path, suffix: str) -> None:
    victim = open_folder.parent / "thesis"
    victim.write_text("years of work")
    (open_folder / f"x.db{suffix}").symlink_to(victim)
    laid(open_folder / f"x.db{suffix}")
    with pytest.raises(InputFileError, match="was laid there by another user"), opened_store(open_folder / "x.db"):
        pass
    assert victim.read_text() == "years of work"


def test_a_socket_is_neither_a_file_nor_a_pipe(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        with pytest.raises(InputFileError, match="is neither a regular file nor a pipe"):
            require_writable(tmp_path / "s")
