"""The report in a real browser: nothing is asked for, nothing runs, and it fits a telephone."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ensemble_instruct.records import Candidate, Example
from ensemble_instruct.report.page import write_report
from tests.support.browser import Tab, in_tab, needs_chromium
from tests.support.made_run import made_examples, make_run

pytestmark = [needs_chromium, pytest.mark.slow]

LONG_NAMES = {f"some-vendor_Model-{number}.5-{number}0B-Instruct-2026-preview": number for number in range(8)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, finished_run: Path, hostile_run: Path) -> Path:
    """A run with variety, one whose models write markup and 100 kB lines, one of many voters with long names."""
    folder = tmp_path_factory.mktemp("page")
    for name, run in (("demo", finished_run), ("hostile", hostile_run)):
        write_report(shutil.copytree(run, folder / name))
    many = make_run(folder / "many", [_with_voters(example) for example in made_examples(20)])
    write_report(many)
    return folder


def _with_voters(example: Example) -> Example:
    voters = tuple(Candidate(example.instance.id, name, f"{number} ") for name, number in LONG_NAMES.items())
    scores = tuple(number / 8 for number in LONG_NAMES.values())
    return replace(
        example,
        output=voters[0].text,
        winners=tuple(LONG_NAMES),
        candidates=voters,
        scores=scores,
        matrix=tuple(tuple(score for score in scores) for _ in voters),
    )


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


def test_it_asks_for_nothing_runs_nothing_and_fits(runs: Path, tmp_path: Path) -> None:
    names = ("demo", "hostile", "many")

    async def work(tab: Tab) -> None:
        for name in names:
            await tab.call("Page.navigate", url=f"{address}/{name}/report.html")
            await look_at(tab, name)

    with served(runs) as (address, asked):
        asyncio.run(in_tab(tmp_path / "profile", "about:blank", work))
    assert asked == [f"/{name}/report.html" for name in names]


async def look_at(tab: Tab, name: str) -> None:
    """Light and dark, wide and narrow, and on paper."""
    await tab.until(f"document.readyState === 'complete' && document.title.startsWith('{name} ')")
    assert await tab.value("document.title") == f"{name} \u00b7 report of Ensemble-Instruct"
    assert await tab.value("document.scripts.length") == 0
    assert await tab.value("performance.getEntriesByType('resource').length") == 0
    assert await tab.value("document.querySelectorAll('svg rect, svg path').length") > 10
    await tab.value("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        await tab.call("Emulation.setEmulatedMedia", media="", features=[feature])
        for width in (1280, 390):
            await tab.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 500
            )
            assert await tab.value("document.documentElement.scrollWidth") <= width, name
            assert await tab.value(OUTSIDE) == []
        assert await tab.value(FAINT) == []
        assert await tab.value(TALLEST_CELL) < 70
        assert await tab.value(CUT_OFF) == 0
        await tab.call("Emulation.setEmulatedMedia", media="print", features=[feature])
        assert await tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert await tab.value(FAINT) == []


TALLEST_CELL = "Math.max(...[...document.querySelectorAll('.heat tbody td')].map((cell) => cell.offsetHeight))"
CUT_OFF = """
[...document.querySelectorAll('.models-table')]
  .filter((table) => table.scrollWidth > table.parentElement.clientWidth + 1).length
"""
OUTSIDE = """
[...document.querySelectorAll('h1, h2, h3, p, li, bdi, dd, .card')]
  .filter((element) => !element.closest('.scroll') && element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => element.textContent.slice(0, 80))
"""
FAINT = """
(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map((part) => part * (colour.startsWith('color(') ? 255 : 1));
  const light = (colour) => {
    const straight = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = parts(colour).map((c) => straight(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const apart = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const arcBehind = (element) => {
    const ring = element.matches('.object-name') ? '.object' : 'path:not(.object)';
    const fills = [...element.parentElement.querySelectorAll(ring)].map((arc) => getComputedStyle(arc).fill);
    const ink = light(getComputedStyle(element).color);
    return fills.sort((one, other) => apart(light(one), ink) - apart(light(other), ink))[0];
  };
  const behind = (element) => {
    if (element.closest('.sun svg') && !element.matches('.middle, .under')) return arcBehind(element);
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (parts(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll('body *')]
    .filter((element) => hasText(element) && element.getClientRects().length && !element.closest('title'))
    .map((element) => [light(getComputedStyle(element).color), light(behind(element)), element])
    .filter(([one, other]) => apart(one, other) < 4.5)
    .map(([one, other, element]) => `${element.className} ${element.textContent.slice(0, 40)} ${one} ${other}`);
})()
"""
