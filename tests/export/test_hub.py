"""`export --format hub` with the real client against a Hub on loopback: what lies there, and what is said."""

from __future__ import annotations

import io
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import COMMAND
from tests.support.forks import Forks, tree
from tests.support.made_run import made_examples, make_run
from tests.support.processes import PATIENCE
from tests.support.servers.hub import Hub, hub_server

SIZE = 300
SPLIT = "train=0.9,test=0.1"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_server() as ready:
        yield ready


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_run(tmp_path / "run", made_examples(SIZE))
    return tmp_path


def environment(place: Path, hub: Hub, token: str = "hf_writes") -> dict[str, str]:
    """That of a user with this token, and with nothing else of theirs."""
    quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return {"HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HOME": str(place / "home"), **quiet}


def uploaded(forks: Forks, place: Path, hub: Hub, *more: str, repo: str = "me/data") -> str:
    """What is said of an upload that went well."""
    command = ["export", "run", "--format", "hub", "--repo", repo, *more]
    done = forks.run(place, command, environment(place, hub))
    assert done.returncode == 0, done.stderr
    return done.stdout


def failed(forks: Forks, place: Path, env: dict[str, str], *more: str, repo: str = "me/data") -> tuple[int, str]:
    """The exit code and the one line of an upload that failed."""
    done = forks.run(place, ["export", "run", "--format", "hub", "--repo", repo, *more], env)
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "hf_" not in done.stderr
    return done.returncode, done.stderr


def local(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their names in it."""
    return {
        path.relative_to(folder).as_posix(): content for path, content in tree(folder).items() if content is not None
    }


def test_the_dataset_is_the_folder_in_one_commit(forks: Forks, place: Path, hub: Hub) -> None:
    printed = uploaded(forks, place, hub, "--split", SPLIT)
    dataset = hub.datasets["me/data"]
    assert dataset.files == local(place / "run" / "hub")
    assert "README.md" in dataset.files
    assert sorted(name for name in dataset.files if "/" in name) == [
        f"{folder}/{split}-00000-of-00001.parquet" for folder in ("candidates", "data") for split in ("test", "train")
    ]
    assert [commit.split(",")[0] for commit in dataset.commits] == [f"{SIZE} examples"]
    rows = [pq.read_table(io.BytesIO(data)).num_rows for name, data in dataset.files.items() if "data/" in name]
    assert sum(rows) == SIZE
    assert printed.splitlines()[-1] == f"{hub.url}/datasets/me/data (private)"


def test_a_name_without_an_owner_is_ones_own_and_a_new_dataset_public_if_asked(
    forks: Forks, place: Path, hub: Hub
) -> None:
    assert uploaded(forks, place, hub, "--public", repo="mine").endswith("/datasets/me/mine (public)\n")
    assert not hub.datasets["me/mine"].private


def test_an_upload_again_changes_what_is_different_and_removes_shards_of_before(
    forks: Forks, place: Path, hub: Hub
) -> None:
    uploaded(forks, place, hub, "--split", SPLIT, "--shard-size", "20KB")
    dataset = hub.datasets["me/data"]
    dataset.files["notes.txt"] = dataset.files["data/notes.parquet"] = b"of the owner"
    dataset.private = False
    many, sent = set(dataset.files), len(hub.puts())
    assert uploaded(forks, place, hub, "--split", SPLIT, "--shard-size", "20KB").endswith("(public)\n")
    assert len(hub.puts()) == sent
    assert len(dataset.commits) == 1, "an upload without a change makes no commit"
    uploaded(forks, place, hub, "--split", SPLIT, "--no-candidates")
    assert len(dataset.commits) == 2
    assert set(dataset.files) < many | set(local(place / "run" / "hub"))
    expected = local(place / "run" / "hub") | dict.fromkeys(("notes.txt", "data/notes.parquet"), b"of the owner")
    assert dataset.files == expected


def test_an_upload_that_was_killed_goes_on_where_it_was(forks: Forks, place: Path, hub: Hub) -> None:
    hub.hold_after = 2
    command = [str(COMMAND), "export", "run", "--format", "hub", "--repo", "me/data", "--split", SPLIT]
    with subprocess.Popen(command, cwd=place, env=environment(place, hub), stdout=subprocess.DEVNULL) as process:
        assert hub.holds.wait(PATIENCE)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert hub.datasets["me/data"].files == {}, "a reader saw half of it"
    hub.hold_after = None
    before = hub.puts()
    uploaded(forks, place, hub, "--split", SPLIT)
    after = hub.puts()[len(before) :]
    assert len(before) == 2
    assert len(after) == 2
    assert not set(before) & set(after), "what was sent is sent again"
    assert hub.datasets["me/data"].files == local(place / "run" / "hub")


def test_a_server_that_is_away_for_a_moment_is_asked_again(forks: Forks, place: Path, hub: Hub) -> None:
    hub.failures = [("POST /api/repos/create", 503), ("PUT /objects", 500)]
    uploaded(forks, place, hub)
    assert hub.failures == []
    assert hub.datasets["me/data"].files == local(place / "run" / "hub")


def test_a_dry_run_asks_nothing(forks: Forks, place: Path, hub: Hub) -> None:
    env = environment(place, hub, token="")
    command = ["export", "run", "--format", "hub", "--repo", "me/data", "--dry-run", "--to", "folder"]
    done = forks.run(place, command, env)
    assert (done.returncode, done.stderr) == (0, "")
    assert hub.asked == []
    uploaded(forks, place, hub)
    assert local(place / "folder") == local(place / "run" / "hub")


def test_a_token_that_is_missing_or_wrong_is_told_before_anything_is_written(
    forks: Forks, place: Path, hub: Hub
) -> None:
    code, message = failed(forks, place, environment(place, hub, token=""))
    assert code == 2
    assert "there is no token; set HF_TOKEN" in message
    code, message = failed(forks, place, environment(place, hub, token="hf_old"))
    assert code == 1
    assert f"{hub.url} does not accept the token; set HF_TOKEN" in message
    assert not (place / "run" / "hub").exists()


@pytest.mark.parametrize(("token", "repo"), [("hf_reads", "me/data"), ("hf_writes", "others/data")])
def test_a_token_that_may_not_write_is_told_and_the_folder_kept(
    forks: Forks, place: Path, hub: Hub, token: str, repo: str
) -> None:
    code, message = failed(forks, place, environment(place, hub, token=token), repo=repo)
    assert code == 1
    assert f"{repo}: the token may not write there" in message
    assert (place / "run" / "hub" / "README.md").is_file()
    assert hub.datasets == {}


def test_a_refusal_of_the_newer_storage_is_told_at_once(forks: Forks, place: Path, hub: Hub) -> None:
    """Its client raises an error of the network for it, with the status in words."""
    pytest.importorskip("hf_xet")
    code, message = failed(forks, place, environment(place, hub) | {"HF_HUB_DISABLE_XET": "0"})
    assert code == 1
    assert "me/data: the token may not write there" in message
    assert sum("xet-write-token" in request for request in hub.asked) == 1


def test_no_network_is_told_at_once(forks: Forks, place: Path, hub: Hub) -> None:
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    code, message = failed(forks, place, environment(place, hub) | nowhere)
    assert code == 1
    assert "http://127.0.0.1:9 cannot be reached" in message
    code, message = failed(forks, place, environment(place, hub) | {"HF_HUB_OFFLINE": "1"})
    assert code == 1
    assert "cannot be reached" in message
    assert not (place / "run" / "hub").exists()


@pytest.mark.parametrize("repo", ["a/b/c", "a b", "", "a/..", "a/b.git"])
def test_a_name_that_cannot_be_is_told_without_asking(forks: Forks, place: Path, hub: Hub, repo: str) -> None:
    code, message = failed(forks, place, environment(place, hub), repo=repo)
    assert code == 2
    assert f"--repo {repo}: is no name" in message
    assert hub.asked == []


def test_what_the_hub_refuses_is_told_in_its_words(forks: Forks, place: Path, hub: Hub) -> None:
    hub.failures = [("/commit/main", 400)]
    code, message = failed(forks, place, environment(place, hub))
    assert code == 1
    assert "HTTP 400: out of order" in message
    assert hub.datasets["me/data"].files == {}
