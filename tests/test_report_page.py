"""The report in a real browser: nothing is asked for, nothing runs, and it fits a telephone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import SIMULATED
from tests.test_viewer import hostile_config, run_folder
from tests.test_viewer_page import CHROMIUM, Tab, in_tab

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on PATH to look at the page with")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run with variety, and one whose models write markup and 100 kB lines."""
    folder = tmp_path_factory.mktemp("page")
    return {
        "demo": run_folder(folder / "demo", SIMULATED),
        "hostile": run_folder(folder / "hostile", hostile_config(folder)),
    }


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A web server over a folder; yields its address and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


@pytest.mark.parametrize("name", ["demo", "hostile"])
def test_it_asks_for_nothing_runs_nothing_and_fits(name: str, runs: dict[str, Path], tmp_path: Path) -> None:
    async def work(tab: Tab) -> None:
        await tab.until("document.readyState === 'complete' && !!document.querySelector('footer')")
        assert await tab.value("document.title") == f"{name} \u00b7 report of Ensemble-Instruct"
        assert await tab.value("document.scripts.length") == 0
        assert await tab.value("performance.getEntriesByType('resource').length") == 0
        assert await tab.value("document.querySelectorAll('svg rect, svg path').length") > 10
        await tab.value("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
        for scheme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            await tab.call("Emulation.setEmulatedMedia", features=[feature])
            for width in (1280, 390):
                await tab.call(
                    "Emulation.setDeviceMetricsOverride",
                    width=width,
                    height=844,
                    deviceScaleFactor=1,
                    mobile=width < 500,
                )
                assert await tab.value("document.documentElement.scrollWidth") <= width
                assert await tab.value(OUTSIDE) == []
            assert await tab.value(FAINT) == []

    with served(runs[name]) as (address, asked):
        asyncio.run(in_tab(tmp_path / "profile", f"{address}/report.html", work))
    assert asked == ["/report.html"]


OUTSIDE = """
[...document.querySelectorAll('h1, h2, h3, p, li, bdi, dd, .card')]
  .filter((element) => !element.closest('.scroll') && element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => element.textContent.slice(0, 80))
"""
FAINT = """
(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const straight = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = parts(colour).map((c) => straight(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (parts(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll('body *')]
    .filter((element) => !element.closest('svg') && hasText(element))
    .map((element) => [light(getComputedStyle(element).color), light(behind(element)), element])
    .filter(([one, other]) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) < 4.5)
    .map(([one, other, element]) => `${element.className} ${element.textContent.slice(0, 40)} ${one} ${other}`);
})()
"""
