"""A run where nothing can be written, a snapshot or another user's folder: it is read whole, also after a kill."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ensemble_instruct.errors import EnsembleInstructError
from ensemble_instruct.store.owner import is_locked
from ensemble_instruct.store.reading import reading
from tests.conftest import ROOT
from tests.store.test_owner import at_work

pytestmark = pytest.mark.slow
_NOBODY = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def killed(folder: Path, *names: str) -> Path:
    """These files of a run that was killed, in a folder of their own: its one answer is in run.db-wal alone."""
    folder.mkdir()
    (folder / "made").mkdir()
    with at_work(folder / "made" / "run.db") as process:
        process.kill()
        process.wait()
    for name in names:
        shutil.copy(folder / "made" / name, folder)
    shutil.rmtree(folder / "made")
    return folder / "run.db"


def as_nobody(work: Callable[[], str]) -> str:
    """What `work` returns in a process that may read a folder, and not write in it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setuid(_NOBODY)
            os.write(writer, work().encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as said:
        return said.read()


@pytest.mark.parametrize("further", [(), ("run.db-shm",), ("run.db-shm", "run.db.lock")])
def test_a_killed_run_in_a_folder_that_may_only_be_read_is_read_whole(
    open_folder: Path, further: tuple[str, ...]
) -> None:
    path = killed(open_folder / "run", "run.db", "run.db-wal", *further)
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(0o555)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}

    def read() -> str:
        with reading(path) as connection, reading(path) as another:
            texts = [each.execute("SELECT text FROM request").fetchall() for each in (connection, another)]
        return f"{texts} {is_locked(path)}"

    assert as_nobody(read) == "[[('first',)], [('first',)]] False"
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_killed_run_on_a_read_only_mount_is_read_and_a_start_says_where_it_could_go_on(tmp_path: Path) -> None:
    path = killed(tmp_path / "run", "run.db", "run.db-wal")
    code = (
        "import sys; from pathlib import Path; from ensemble_instruct.errors import StoreError\n"
        "from ensemble_instruct.store.reading import reading; from ensemble_instruct.store.store import Store\n"
        "path = Path(sys.argv[1])\n"
        "with reading(path) as connection: print(connection.execute('SELECT text FROM request').fetchall())\n"
        "try: Store(path)\n"
        "except StoreError as error: print(error)"
    )
    mount = f"mount --bind '{path.parent}' '{path.parent}' && mount -o remount,ro,bind '{path.parent}' && exec \"$@\""
    command = ["unshare", "-m", "sh", "-c", mount, "sh", sys.executable, "-c", code, str(path)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not here")
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no mount of one's own: {done.stderr.strip()}")
    assert done.stdout.splitlines() == [
        "[('first',)]",
        f"{path}: cannot be written: Read-only file system; copy the folder to where it can be written",
    ]


def test_a_run_that_may_not_be_read_says_so(open_folder: Path) -> None:
    path = killed(open_folder / "run", "run.db", "run.db-wal")
    path.chmod(0o000)
    path.parent.chmod(0o755)

    def read() -> str:
        try:
            with reading(path):
                return "opened"
        except EnsembleInstructError as error:
            return str(error)

    assert as_nobody(read) == f"{path}: cannot be opened: Permission denied; check the path and its permissions"
