"""Files and folders that are written whole: what a process that was killed leaves beside them, and several at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ensemble_instruct.errors import InputFileError
from ensemble_instruct.export.exporter import export_run
from ensemble_instruct.export.options import ExportOptions, planned
from ensemble_instruct.files.atomic import whole_file
from ensemble_instruct.files.atomic_folder import whole_folder
from tests.support.made_run import made_examples, make_run


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_a_killed_process_left_goes_with_the_next_file_of_that_name(tmp_path: Path) -> None:
    for name in (".out.json.ab12cd34.partial", ".out.json.original", ".out.jsonl.ab12cd34.partial"):
        (tmp_path / name).write_text("half")
    with whole_file(tmp_path / "out.json") as file:
        file.write(b"whole")
    assert names(tmp_path) == {"out.json", ".out.json.original", ".out.jsonl.ab12cd34.partial"}
    assert (tmp_path / "out.json").read_bytes() == b"whole"


def test_of_two_writers_of_one_file_the_last_leaves_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    with whole_file(path) as slow:
        slow.write(b"slow")
        with whole_file(path) as fast:
            fast.write(b"fast")
        assert path.read_bytes() == b"fast"
        slow.write(b" one")
    assert path.read_bytes() == b"slow one"
    with pytest.raises(TypeError), whole_file(path) as file:
        file.write("no bytes")  # type: ignore[call-overload]
    assert path.read_bytes() == b"slow one"
    assert names(tmp_path) == {"out.json"}


def test_of_two_writers_of_one_folder_the_last_leaves_it_whole(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as slow:
        (slow / "slow.txt").touch()
        with whole_folder(tmp_path / "out") as fast:
            (fast / "fast.txt").touch()
        assert names(tmp_path / "out") == {"fast.txt"}
    assert names(tmp_path / "out") == {"slow.txt"}
    assert names(tmp_path) == {"out"}


@pytest.mark.parametrize("is_there", [True, False])
def test_of_two_writers_of_one_new_folder_the_first_to_end_has_it(tmp_path: Path, is_there: bool) -> None:
    if is_there:
        (tmp_path / "out").mkdir()

    def write() -> None:
        with whole_folder(tmp_path / "out", is_new=True) as slow:
            (slow / "slow.txt").touch()
            with whole_folder(tmp_path / "out", is_new=True) as fast:
                (fast / "fast.txt").touch()

    with pytest.raises(InputFileError, match="out: was made by another process meanwhile"):
        write()
    assert names(tmp_path / "out") == {"fast.txt"}
    assert names(tmp_path) == {"out"}


def test_many_writers_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ensemble_instruct.files.atomic_folder import whole_folder\n"
        "for _ in range(40):\n"
        "    with whole_folder(Path('out')) as folder:\n"
        "        (folder / 'train.jsonl').write_text(sys.argv[1])"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, name], cwd=tmp_path) for name in "abc"]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (tmp_path / "out" / "train.jsonl").read_text() in "abc"
    assert names(tmp_path) == {"out"}


def test_a_folder_in_which_a_file_was_left_half_is_an_export_still(tmp_path: Path) -> None:
    make_run(tmp_path / "run", made_examples(3))
    order = planned(ExportOptions(form="parquet", to=f"{tmp_path}/out/"), tmp_path / "run")
    export_run(tmp_path / "run", order)
    (tmp_path / "out" / ".README.md.ab12cd34.partial").write_text("half")
    (tmp_path / "out" / "data" / ".mine").write_text("by hand")
    with pytest.raises(InputFileError, match=r"\(data/\.mine\)"):
        export_run(tmp_path / "run", order)
    (tmp_path / "out" / "data" / ".mine").unlink()
    export_run(tmp_path / "run", order)
    assert names(tmp_path / "out") == {"data"}
