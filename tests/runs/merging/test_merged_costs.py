"""What was paid for nothing, and the prices of models, go along into a merged run."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from ensemble_instruct.runs.merging.merge import merge_runs
from ensemble_instruct.runs.progress import Watch
from ensemble_instruct.runs.status import read_status
from ensemble_instruct.store.costs import PRICES, noted_prices, prices_noted
from ensemble_instruct.store.reading import read_meta, reading
from tests.support.finished import change

_LOST = """
    INSERT INTO attempt SELECT key, step, kind, model, 'malformed', 100, ?, NULL, NULL, NULL, 0, 0.5, ?
    FROM request WHERE step = 'outputs' LIMIT 1
"""


def test_tries_that_were_paid_for_nothing_are_counted_once(finished_run: Path, tmp_path: Path) -> None:
    runs = [shutil.copytree(finished_run, tmp_path / name) for name in ("a", "b")]
    for run in runs:
        change(run, _LOST, 16, 1000.0)  # from a common beginning
        with reading(run / "run.db") as connection:
            prices = prices_noted(read_meta(connection))
        dear = {name: price and type(price)(input=0, output=1e6, cached=0, reasoning=1e6, origin="looked up")
                for name, price in prices.items()}  # fmt: skip
        change(run, "UPDATE meta SET value = ? WHERE name = ?", noted_prices(dear), PRICES)
    change(runs[1], _LOST, 16, 2000.0)
    asyncio.run(merge_runs(runs, tmp_path / "both", Watch()))
    status = read_status(tmp_path / "both")
    (wasted,) = status.wasted
    assert (wasted.tries, wasted.completion_tokens, wasted.cost) == (2, 32, 32.0)
    assert {price.origin for price in status.prices.values() if price} == {"looked up"}
