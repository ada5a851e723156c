"""The voters of a run in a real browser: in the viewer, in its detail of a row, and in the report."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conftest import rows
from tests.support.browser import Tab, dumped, in_tab, needs_chromium
from tests.support.forks import Forks, on_path
from tests.support.servers.viewer import viewer
from tests.support.unlike_voters import config

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    folder = tmp_path_factory.mktemp("unlike")
    config(folder)
    done = forks.run(folder, ["run", "config.yaml", "--out", "run"], on_path(folder))
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_the_viewer_has_a_table_of_the_voters_and_marks_the_candidates_of_those_set_aside(
    run: Path, tmp_path: Path
) -> None:
    example = rows(run / "examples.jsonl")[0]["id"]
    with viewer(run) as port:
        page = dumped(tmp_path / "profile", f"http://127.0.0.1:{port}/#/example/{example}")
    table = page[page.index('<details id="voters"') : page.index("<nav")]
    for words in ("copy says all that strong does: it is set aside", "it runs on into further tasks", ">0.5<"):
        assert words in table
    detail = page[page.index("<article") :]
    assert detail.count("voter set aside: ") == 2
    assert "voter set aside: it runs on into further tasks" in detail


@pytest.mark.parametrize("width", [1200, 360])
def test_the_pages_fit_wide_and_narrow(run: Path, tmp_path: Path, width: int) -> None:
    async def work(tab: Tab) -> None:
        await tab.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        await tab.until("document.querySelector('#standings td') !== null")
        await tab.value("document.getElementById('voters').open = true")
        assert await tab.value("document.documentElement.scrollWidth") <= width
        await tab.call("Page.navigate", url=(run / "report.html").as_uri())
        await tab.until("document.querySelector('.notes li') !== null")
        assert await tab.value("document.documentElement.scrollWidth") <= width

    with viewer(run) as port:
        asyncio.run(in_tab(tmp_path / "profile", f"http://127.0.0.1:{port}/", work))
