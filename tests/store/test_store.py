"""The store: an answer is on disk before it is used, many share a transaction, a prompt is small and stays whole."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.errors import InputFileError, RunLockedError, StoreError
from ensemble_instruct.prompts.completions import instances_sampling, instances_template
from ensemble_instruct.records import KINDS, Answer, Failure, Instruction, Request, Response, Sampling
from ensemble_instruct.steps.seed_tasks import load_demonstrations, load_seed_tasks
from ensemble_instruct.store.database import APPLICATION_ID, MIGRATIONS
from ensemble_instruct.store.store import Store
from tests.conftest import ROOT, SIMULATED, Cli
from tests.support.processes import PATIENCE

SAMPLING = Sampling(max_tokens=256)
texts = st.text(st.characters(codec="utf-8"))


def key_of(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def request(prompt: str, shared: str = "", sampling: Sampling = SAMPLING) -> Request:
    return Request(prompt=prompt, sampling=sampling, step="instances", kind="input_output", shared=shared)


def elsewhere(path: Path, sql: str) -> list[list[object]]:
    """The rows that another process reads from a database."""
    code = "import json, sqlite3, sys; print(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))"
    done = subprocess.run([sys.executable, "-c", code, path, sql], capture_output=True, text=True, check=True)
    rows: list[list[object]] = json.loads(done.stdout)
    return rows


@pytest.mark.slow
def test_what_was_committed_is_seen_by_another_process_while_the_store_is_open(tmp_path: Path) -> None:
    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            for number in range(5):
                text = f"answer {number}"
                await store.commit(key_of(text), "base", request("a prompt"), Response(text), 0.1)
                seen = elsewhere(store.path, "SELECT model, text FROM request ORDER BY answered_at, text")
                assert seen == [["base", f"answer {before}"] for before in range(number + 1)]

    asyncio.run(work())


@pytest.mark.slow
def test_a_committed_answer_and_the_records_before_it_outlive_a_kill_right_after(tmp_path: Path) -> None:
    code = """
import asyncio, os, pathlib, signal, sys
from tests.store.test_store import key_of, request
from ensemble_instruct.records import Instruction, Response
from ensemble_instruct.store.store import Store

async def work():
    store = Store(pathlib.Path(sys.argv[1]))
    store.set_meta(state="running")
    store.add(Instruction(kind="input_output", text="Sort the words.", request_key=key_of("a")))
    await store.commit(key_of("a"), "base", request("a prompt"), Response("kept"), 0.1)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(work())
"""
    path = tmp_path / "run.db"
    done = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr

    async def read() -> None:
        with Store(path) as store:
            assert store.answer(key_of("a")) == Answer(key_of("a"), Response("kept"))
            assert elsewhere(path, "SELECT text FROM instruction") == [["Sort the words."]]
            assert store.meta("state") == "running"

    asyncio.run(read())


def test_concurrent_commits_are_all_kept_and_share_transactions(tmp_path: Path) -> None:
    path, number = tmp_path / "run.db", 2000

    async def work() -> int:
        with Store(path) as store:
            asked = [
                store.commit(key_of(str(place)), "base", request(f"prompt {place}"), Response(str(place)), 0.1)
                for place in range(number)
            ]
            await asyncio.gather(*asked)
            return transactions(path)

    used = asyncio.run(work())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*), COUNT(DISTINCT text) FROM request").fetchone() == (number, number)
    assert used < number / 10


def transactions(path: Path) -> int:
    """How many commits the WAL beside a database holds: frames whose header gives the size of the whole file."""
    wal = path.with_name(f"{path.name}-wal").read_bytes()
    page = int.from_bytes(wal[8:12])
    salt = wal[16:24]
    headers = [wal[place : place + 24] for place in range(32, len(wal), 24 + page)]
    return sum(header[8:16] == salt and header[4:8] != bytes(4) for header in headers)


def test_commits_one_by_one_are_transactions_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "run.db"

    async def work() -> None:
        with Store(path) as store:
            before = transactions(path)
            for number in range(20):
                await store.commit(key_of(str(number)), "base", request("a prompt"), Response("text"), 0.1)
            assert transactions(path) == before + 20

    asyncio.run(work())


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(texts, texts, texts, texts), min_size=1, max_size=12))
def test_prompts_and_answers_come_back_character_for_character(asked: list[tuple[str, str, str, str]]) -> None:
    async def work(path: Path) -> None:
        with Store(path) as store:
            for number, (shared, rest, text, finish_reason) in enumerate(asked):
                question = request(shared + rest, shared)
                await store.commit(key_of(str(number)), "base", question, Response(text, finish_reason, 7, 8), 0.1)
        with Store(path) as store:
            for number, (shared, rest, text, finish_reason) in enumerate(asked):
                key = key_of(str(number))
                assert store.prompt(key) == shared + rest
                assert store.answer(key) == Answer(key, Response(text, finish_reason, 7, 8))

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(work(Path(folder) / "run.db"))


@pytest.mark.slow
def test_a_request_of_step_2_takes_at_most_1_kb_on_disk(tmp_path: Path) -> None:
    path, number = tmp_path / "run.db", 2000
    rng = random.Random(1)
    tasks = load_seed_tasks()
    words = [word for task in tasks for word in (task.instruction + " " + task.instances[0][1]).split()]
    demonstrations = load_demonstrations("input_output")
    template = instances_template("input_output", demonstrations, "default")
    assert len(template.text) > 8000

    async def work() -> None:
        with Store(path) as store:
            asked = []
            for place in range(number):
                prompt = template.prompt(" ".join(rng.choices(words, k=rng.randint(8, 30))))
                reply = Response(" ".join(rng.choices(words, k=60)), "stop", 2500, 80)
                question = request(prompt, template.text, instances_sampling("default", rng.randrange(2**31)))
                asked.append(store.commit(key_of(f"{place}{prompt}"), "base", question, reply, 1.5))
            await asyncio.gather(*asked)

    asyncio.run(work())
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert size / number <= 1024


@pytest.mark.parametrize("type_", ["content_filter", "prompt_too_long", "bad_request", "server_error"])
def test_a_failure_is_kept_as_a_failure_and_never_as_text(tmp_path: Path, type_: str) -> None:
    failure = Failure(type_, "the server would not")

    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            await store.commit(key_of("a"), "base", request("a prompt"), failure, 0.1)
        with Store(tmp_path / "run.db") as store:
            assert store.answer(key_of("a")) == Answer(key_of("a"), failure)
            assert store.prompt(key_of("a")) == "a prompt"
            assert store.answer(key_of("b")) is None

    asyncio.run(work())


def test_sampling_seeds_come_back_and_none_stays_none(tmp_path: Path) -> None:
    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            for seed in (0, 2**31 - 1, None):
                question = request("a prompt", sampling=Sampling(max_tokens=256, seed=seed))
                await store.commit(key_of(str(seed)), "base", question, Response("text"), 0.1)
                assert store.seed(key_of(str(seed))) == seed

    asyncio.run(work())


def test_a_seed_that_was_not_honoured_stays_so(tmp_path: Path) -> None:
    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            for honoured in (True, False):
                reply = Response("text", "stop", 1, 2, honoured)
                await store.commit(key_of(str(honoured)), "base", request("a prompt"), reply, 0.1)
                assert store.answer(key_of(str(honoured))) == Answer(key_of(str(honoured)), reply)

    asyncio.run(work())


def test_records_are_made_anew_and_answers_stay(tmp_path: Path) -> None:
    async def work() -> None:
        with Store(tmp_path / "run.db") as store:
            await store.commit(key_of("a"), "base", request("a prompt"), Response("text"), 0.1)
            for kind in KINDS:
                store.add(Instruction(kind=kind, text="Sort the words.", request_key=key_of("a")))
            await store.flush()
            assert elsewhere(store.path, "SELECT COUNT(*) FROM instruction") == [[2]]
            store.forget_records()
            store.add(Instruction(kind="input_output", text="Count the words.", request_key=key_of("a")))
            await store.flush()
            assert elsewhere(store.path, "SELECT text FROM instruction") == [["Count the words."]]
            assert store.answered_by_model() == {"base": 1}

    asyncio.run(work())


def test_two_stores_of_one_file_cannot_be_open_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        with Store(tmp_path / "run.db"), pytest.raises(RunLockedError, match=r"run\.db"):
            Store(tmp_path / "run.db")
        Store(tmp_path / "run.db").close()

    asyncio.run(work())


def test_the_version_of_the_schema_and_the_program_are_stamped(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    Store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA application_id = 7; CREATE TABLE notes (text); INSERT INTO notes VALUES ('x')")


def foreign_without_id(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE notes (text); INSERT INTO notes VALUES ('x')")


def newer(path: Path) -> None:
    Store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def no_database(path: Path) -> None:
    path.write_bytes(b"not a database at all, but long enough to be looked at\n" * 100)


@pytest.mark.parametrize(
    ("make", "said"),
    [(foreign, "another program"), (foreign_without_id, "another program"), (newer, "newer"), (no_database, "run.db")],
)
def test_a_file_that_is_not_ours_is_refused_with_one_line_and_left_alone(
    tmp_path: Path, cli: Cli, make: Callable[[Path], None], said: str
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    make(folder / "run.db")
    before = (folder / "run.db").read_bytes()
    with pytest.raises(InputFileError, match=said):
        Store(folder / "run.db")
    for command in (("run", SIMULATED, "--out", folder), ("status", folder)):
        done = cli(*command)
        assert done.returncode in (1, 2)
        assert done.stderr.count("\n") == 1, done.stderr
        assert said in done.stderr
    assert (folder / "run.db").read_bytes() == before


def test_who_waits_for_the_disk_is_told_also_when_the_store_is_closed_first(tmp_path: Path) -> None:
    async def work() -> None:
        store = Store(tmp_path / "run.db")
        first = asyncio.create_task(store.commit(key_of("a"), "base", request("a"), Response("a"), 0.1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the first is on its way, the second comes too late for the same transaction
        second = asyncio.create_task(store.commit(key_of("b"), "base", request("b"), Response("b"), 0.1))
        await asyncio.sleep(0)
        store.close()
        await asyncio.wait_for(asyncio.gather(first, second), PATIENCE)
        with pytest.raises(StoreError, match="is closed"):
            await store.commit(key_of("c"), "base", request("c"), Response("c"), 0.1)

    asyncio.run(work())
    assert elsewhere(tmp_path / "run.db", "SELECT text FROM request ORDER BY text") == [["a"], ["b"]]


def test_a_file_that_another_program_has_locked_is_waited_for_and_the_loop_goes_on(tmp_path: Path) -> None:
    async def work() -> int:
        turns = 0
        with Store(tmp_path / "run.db") as store, closing(sqlite3.connect(tmp_path / "run.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            task = asyncio.create_task(store.commit(key_of("a"), "base", request("a"), Response("a"), 0.1))
            while turns < 20:
                await asyncio.sleep(0.01)
                turns += 1
                assert not task.done()
            other.execute("ROLLBACK")
            await asyncio.wait_for(task, PATIENCE)
        return turns

    assert asyncio.run(work()) == 20
    assert elsewhere(tmp_path / "run.db", "SELECT text FROM request") == [["a"]]
