"""The viewer's page in a real browser: what it shows, by keyboard and by address, wide and narrow."""

from __future__ import annotations

import asyncio
import html
import json
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import rows
from tests.support.browser import Tab, dumped, in_tab, needs_chromium
from tests.support.finished import change, stored
from tests.support.hostile import HOSTILE
from tests.support.servers.viewer import viewer

pytestmark = [needs_chromium, pytest.mark.slow]
Dump = Callable[[str], str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, finished_run: Path) -> Path:
    return shutil.copytree(finished_run, tmp_path_factory.mktemp("view") / "demo run & more")


@pytest.fixture(scope="module")
def port(demo: Path) -> Iterator[int]:
    with viewer(demo) as number:
        yield number


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    """The page as the browser has it after its scripts."""
    return partial(dumped, tmp_path / "profile")


def test_an_address_shows_the_list_and_one_example(demo: Path, port: int, dump: Dump) -> None:
    expected = rows(demo / "examples.jsonl")
    row = next(row for row in expected if len(row["winners"]) == 2)
    page = dump(f"http://localhost:{port}/#/example/{row['id']}")
    assert "<title>demo run &amp; more · Ensemble-Instruct</title>" in page
    assert re.findall(r'data-id="(\w+)"', page) == [row["id"] for row in expected[:50]]
    assert f"1\u201350 of {len(expected)}" in page
    detail = page[page.index("<article") :]
    assert "2 of 3 outputs are this very text." in detail
    for candidate in row["candidates"]:
        assert html.escape(candidate["output"], quote=False) in detail
        assert f"{candidate['score']:.3f}" in detail
    assert detail.count(">winner<") == 2
    assert detail.count("<summary>Prompt</summary>") == detail.count("<summary>Reply</summary>") == 4
    assert "Come up with a series of tasks:" in detail


def test_the_browser_shows_the_drops_of_a_reason(demo: Path, port: int, dump: Dump) -> None:
    expected = stored(demo, "SELECT id FROM rejected WHERE reason = 'not_novel'")
    page = dump(f"http://127.0.0.1:{port}/#/dropped/{expected[0][0]}?reason=not_novel")
    assert sorted(int(number) for number in re.findall(r'data-id="(\d+)"', page)) == sorted(row[0] for row in expected)
    assert "It is too close to an instruction that is there already." in page


def test_what_was_taken_away_around_an_answer_is_beside_it(finished_run: Path, tmp_path: Path, dump: Dump) -> None:
    copy = shutil.copytree(finished_run, tmp_path / "run")
    row = rows(copy / "examples.jsonl")[0]
    row["candidates"][1]["removed"] = ["Sure! <b>Here</b> it is:"]
    change(copy, "UPDATE example SET row = ? WHERE instance = ?", json.dumps(row), row["id"])
    with viewer(copy) as port:
        page = dump(f"http://127.0.0.1:{port}/#/example/{row['id']}")
    assert page.count("Said around it, and taken away") == 1
    assert html.escape("Sure! <b>Here</b> it is:", quote=False) in page


def test_what_models_write_is_shown_as_text(hostile_run: Path, dump: Dump) -> None:
    row = rows(hostile_run / "examples.jsonl")[0]
    assert HOSTILE in row["instruction"]
    assert row["output"] == HOSTILE
    with viewer(hostile_run) as port:
        page = dump(f"http://127.0.0.1:{port}/#/example/{row['id']}")
    assert "<title>run · Ensemble-Instruct</title>" in page
    assert page.count(html.escape(HOSTILE, quote=False)) > 6
    assert "<script>" not in page
    assert "<img src=x" not in page.replace('"', "")
    assert "x" * 100_000 in page
    assert page.count('dir="auto"') > 6


def test_it_is_used_by_keyboard(demo: Path, port: int, tmp_path: Path) -> None:
    names = [row["id"] for row in rows(demo / "examples.jsonl")]
    ids = [row["id"] for row in rows(demo / "examples.jsonl") if "warm-up" in json.dumps(row).lower()]

    async def work(tab: Tab) -> None:
        def is_open(name: str) -> str:
            return (
                f"document.querySelector('#detail code')?.textContent === '{name}' && location.hash.includes('{name}')"
            )

        await tab.until("document.querySelectorAll('.row').length === 50")
        for key in ("j", "j", "j", "k", "Enter"):
            await tab.press(key)
        await tab.until(is_open(names[1]))
        await tab.press("j")
        await tab.until(is_open(names[2]))
        await tab.press("Escape")
        await tab.until("document.querySelector('#detail').hidden && location.hash === '#/examples'")
        for key in "/warm-up":
            await tab.press(key)
        await tab.until(f"document.querySelectorAll('.row').length === {len(ids)}")
        assert await tab.value("location.hash") == "#/examples?text=warm-up"
        for key in ("Escape", "j", "Enter"):
            await tab.press(key)
        await tab.until(is_open(ids[0]))

    asyncio.run(in_tab(tmp_path / "profile", f"http://127.0.0.1:{port}/", work))


def test_it_fits_a_telephone(hostile_run: Path, tmp_path: Path) -> None:
    name = rows(hostile_run / "examples.jsonl")[0]["id"]

    async def work(tab: Tab) -> None:
        await tab.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
        for path, row in (("#/examples", ".row"), ("#/dropped", ".row.dropped"), (f"#/example/{name}", ".row")):
            await tab.until("document.querySelectorAll('.stage').length")
            await tab.value(f"location.hash = '{path}'")
            await tab.until(f"document.querySelectorAll('{row}').length")
            if name in path:
                await tab.until("document.querySelectorAll('#detail .box').length")
                await tab.value("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
                assert (
                    await tab.value(
                        "Math.max(...[...document.querySelectorAll('.box')].map((box) => box.offsetHeight))"
                    )
                    < 500
                )
                assert await tab.value("document.querySelector('#detail').scrollWidth") <= 390
            assert await tab.value("document.documentElement.scrollWidth") <= 390

    with viewer(hostile_run) as port:
        asyncio.run(in_tab(tmp_path / "profile", f"http://127.0.0.1:{port}/", work))
