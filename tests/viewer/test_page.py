"""The viewer's page in a real browser: what it shows, by keyboard and by address, wide and narrow."""

from __future__ import annotations

import asyncio
import html
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import SIMULATED, rows
from tests.viewer.test_queries import HOSTILE, hostile_config, run_folder, table, viewer

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on PATH to look at the page with")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
Dump = Callable[[str], str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("view") / "demo run & more", SIMULATED)


@pytest.fixture(scope="module")
def port(demo: Path) -> Iterator[int]:
    with viewer(demo) as number:
        yield number


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    """The page as the browser has it after its scripts."""

    def call(url: str) -> str:
        command = [str(CHROMIUM), *FLAGS, "--virtual-time-budget=5000", "--dump-dom"]
        command += [f"--user-data-dir={tmp_path / 'profile'}", url]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    return call


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
    expected = table(demo, "SELECT id FROM rejected WHERE reason = 'not_novel'")
    page = dump(f"http://127.0.0.1:{port}/#/dropped/{expected[0][0]}?reason=not_novel")
    assert sorted(int(number) for number in re.findall(r'data-id="(\d+)"', page)) == sorted(row[0] for row in expected)
    assert "It is too close to an instruction that is there already." in page


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose models write markup and 100 kB lines."""
    folder = tmp_path_factory.mktemp("hostile")
    return run_folder(folder / "run", hostile_config(folder))


def test_what_models_write_is_shown_as_text(hostile: Path, dump: Dump) -> None:
    row = rows(hostile / "examples.jsonl")[0]
    assert HOSTILE in row["instruction"]
    assert row["output"] == HOSTILE
    with viewer(hostile) as port:
        page = dump(f"http://127.0.0.1:{port}/#/example/{row['id']}")
    assert "<title>run · Ensemble-Instruct</title>" in page
    assert page.count(html.escape(HOSTILE, quote=False)) > 6
    assert "<script>" not in page
    assert "<img src=x" not in page.replace('"', "")
    assert "x" * 100_000 in page
    assert page.count('dir="auto"') > 6


class Tab:
    """A page in a browser that takes keys: the part of the DevTools protocol that this needs."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, **settings: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": settings})
        while (reply := await self._socket.receive_json(timeout=10)).get("id") != self._number:
            pass
        assert "error" not in reply, reply
        result: dict[str, Any] = reply["result"]
        return result

    async def value(self, script: str) -> Any:
        found = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"].get("value")

    async def until(self, script: str) -> None:
        deadline = time.monotonic() + 10
        while not await self.value(script):
            assert time.monotonic() < deadline, (
                f"waited in vain for {script}; address {await self.value('location.hash')}"
            )
            await asyncio.sleep(0.02)

    async def press(self, key: str) -> None:
        text = {"Enter": "\r", "Escape": ""}.get(key, key)
        code = {"Enter": 13, "Escape": 27}.get(key, 0)
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)


async def in_tab(profile: Path, url: str, work: Callable[[Tab], Any]) -> None:
    """Open a browser at an address and do something there."""
    command = [str(CHROMIUM), *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}", url]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            opened = profile / "DevToolsActivePort"
            while not opened.exists() or "\n" not in opened.read_text():
                assert process.poll() is None
                await asyncio.sleep(0.02)
            async with aiohttp.ClientSession() as client:
                async with client.get(f"http://127.0.0.1:{opened.read_text().split()[0]}/json/list") as reply:
                    page = next(target for target in await reply.json() if target["type"] == "page")
                async with client.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    await work(Tab(socket))
        finally:
            process.terminate()


def test_it_is_used_by_keyboard(demo: Path, port: int, tmp_path: Path) -> None:
    names = [row["id"] for row in rows(demo / "examples.jsonl")]
    found = [row["id"] for row in rows(demo / "examples.jsonl") if "warm-up" in json.dumps(row).lower()]

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
        await tab.until(f"document.querySelectorAll('.row').length === {len(found)}")
        assert await tab.value("location.hash") == "#/examples?text=warm-up"
        for key in ("Escape", "j", "Enter"):
            await tab.press(key)
        await tab.until(is_open(found[0]))

    asyncio.run(in_tab(tmp_path / "profile", f"http://127.0.0.1:{port}/", work))


def test_it_fits_a_telephone(hostile: Path, tmp_path: Path) -> None:
    name = rows(hostile / "examples.jsonl")[0]["id"]

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

    with viewer(hostile) as port:
        asyncio.run(in_tab(tmp_path / "profile", f"http://127.0.0.1:{port}/", work))
