"""Two processes at one run, or another program in its file: none ends as a success with anything but the whole run."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.support.finished import change, stored
from tests.support.processes import PATIENCE, started, wait_for, without_progress
from tests.support.servers.model import model_config, model_server

pytestmark = pytest.mark.slow


def test_a_second_process_that_no_lock_keeps_out_takes_a_paused_run_over_and_the_first_stops(
    tmp_path: Path, cli: Cli
) -> None:
    folder, config = tmp_path / "run", tmp_path / "config.yaml"
    with model_server(hold_after=20) as server:
        config.write_text(model_config(server.base_url), encoding="utf-8")
        with started(tmp_path, "run", config, "--out", folder) as first:
            wait_for(lambda: (folder / "config.yaml").exists() and len(stored(folder, "SELECT 1 FROM request")) == 20)
            (owner,) = stored(folder, "SELECT process FROM owner")
            first.send_signal(signal.SIGSTOP)
            (folder / "run.db.lock").unlink()
            with started(tmp_path, "run", config, "--out", folder) as second:
                wait_for(lambda: stored(folder, "SELECT process FROM owner") not in ([], [owner]))
                first.send_signal(signal.SIGCONT)
                server.go_on()
                ends = [process.communicate(timeout=PATIENCE)[1] for process in (first, second)]
        assert (first.returncode, second.returncode) == (1, 0), ends
        (line,) = without_progress(ends[0]).splitlines()
        assert line.startswith("error: ")
        assert f"process {second.pid} on " in line
        assert "has taken the run over, so this one stops" in line
        assert "finished" in cli("status", folder).stdout
        assert cli("run", config, "--out", tmp_path / "calm").returncode == 0
    assert (folder / "examples.jsonl").read_bytes() == (tmp_path / "calm" / "examples.jsonl").read_bytes()
    assert stored(folder, "SELECT * FROM owner") == []


@pytest.mark.parametrize("sql", ["DELETE FROM instance WHERE position = 0", "DELETE FROM rejected"])
def test_a_run_whose_records_another_program_changed_does_not_end_as_finished(
    tmp_path: Path, cli: Cli, sql: str
) -> None:
    folder, config = tmp_path / "run", tmp_path / "config.yaml"
    with model_server() as server:
        config.write_text(model_config(server.base_url), encoding="utf-8")
        assert cli("run", config, "--out", folder).returncode == 0
        whole = (folder / "examples.jsonl").read_bytes()
        (folder / "examples.jsonl").unlink()
        change(folder, "DELETE FROM request WHERE rowid > (SELECT MAX(rowid) - 2 FROM request)")
        for table in ("instance", "rejected"):
            change(folder, f"DELETE FROM {table}")
        server.hold_after(1)
        asked = len(server.asked)
        with started(tmp_path, "run", config, "--out", folder) as process:
            server.wait_until_asked(asked + 2)
            wait_for(lambda: all(stored(folder, f"SELECT 1 FROM {table}") for table in ("instance", "rejected")))
            change(folder, sql)
            server.go_on()
            _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1, said
        (line,) = without_progress(said).splitlines()
        assert "another program has changed it; run the same command again" in line
        assert not (folder / "examples.jsonl").exists()
        assert "stopped" in cli("status", folder).stdout
        assert cli("run", config, "--out", folder).returncode == 0
        assert len(server.asked) == asked + 2
    assert (folder / "examples.jsonl").read_bytes() == whole
