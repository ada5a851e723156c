"""Rows for `evaluate` out of a checkout of AlpacaEval: outputs of open models, and a judge's preference for each.

    .venv/bin/python benchmarks/alpaca_eval.py CHECKOUT --to FILE.jsonl.gz [--judge gpt4_turbo|gpt4] [--models NAME ...]

CHECKOUT is a checkout of https://github.com/tatsu-lab/alpaca_eval. Its data is CC BY-NC 4.0 (no commercial use) and
belongs to its authors: neither it nor what this makes of it is part of this package.

In `results/MODEL/FOLDER/annotations.json` `output_1` is the baseline's text, `output_2` the model's, and `preference`
lies between 1 (the baseline) and 2 (the model); 0 is a tie, as 1.5 is. Written is the probability that the model is
preferred, 0 to 1, with the text that was judged; null where no annotation compares it with the baseline. (In checkouts
of 2023 the file is `results/MODEL/annotation_FOLDER.json`.)

    gpt4_turbo    weighted_alpaca_eval_gpt4_turbo, against gpt4_1106_preview (AlpacaEval 2)
    gpt4          alpaca_eval_gpt4, against text_davinci_003 (AlpacaEval 1)

Without `--models` it takes all open models that the judge has judged: those that `models_configs/MODEL/configs.yaml` in
the checkout runs in a process of its own (`huggingface_local_completions`, `vllm_local_completions`) or links to a page
of huggingface.co; but no mixture, no best of several samples (`MoA`, `CoE`, `best-of`, `pairrm` in the name) and no
model asked to be `_concise` or `_verbose`. Prints the mean preference of each in %: its win rate on the leaderboard.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from ensemble_instruct.files.atomic import whole_file
from ensemble_instruct.files.jsonl import dump

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Judge:
    """Where the verdicts of a judge are, and what they compare with."""

    name: str
    """Of the folder."""
    baseline: str

    def annotations(self, model: Path) -> Path:
        """The file with the verdicts on a model, by its folder; in old checkouts it has another name."""
        usual, old = model / self.name / "annotations.json", model / f"annotation_{self.name}.json"
        return usual if usual.is_file() or not old.is_file() else old


JUDGES = {
    "gpt4_turbo": Judge("weighted_alpaca_eval_gpt4_turbo", "gpt4_1106_preview"),
    "gpt4": Judge("alpaca_eval_gpt4", "text_davinci_003"),
}
LOCAL = ("huggingface_local_completions", "vllm_local_completions")
"""How AlpacaEval asks a model whose weights one has."""
NOT_ONE_MODEL = re.compile(r"best-of|pairrm|MoA|CoE|_concise$|_verbose$", re.IGNORECASE)
"""In the names of what is no single model with its usual prompt."""


def open_models(checkout: Path, judge: Judge) -> list[str]:
    """The open models that the judge has judged, by the rule above."""
    judged = sorted(path.name for path in checkout.glob("results/*") if judge.annotations(path).is_file())
    return [name for name in judged if not NOT_ONE_MODEL.search(name) and _is_open(checkout, name)]


def _is_open(checkout: Path, model: str) -> bool:
    path = checkout / "src" / "alpaca_eval" / "models_configs" / model / "configs.yaml"
    if not path.is_file():
        return False
    settings = next(iter((yaml.safe_load(path.read_text(encoding="utf-8")) or {}).values()), None) or {}
    return settings.get("fn_completions") in LOCAL or "//huggingface.co/" in str(settings.get("link"))


def preference(annotation: Mapping[str, Any], judge: Judge) -> float | None:
    """The probability that the model is preferred to the baseline; None where the judge did not say."""
    value = annotation.get("preference")
    if value is None or math.isnan(value) or annotation.get("generator_1", judge.baseline) != judge.baseline:
        return None
    if value != 0 and not 1 <= value <= 2:
        raise SystemExit(f"error: a preference is {value}; known are 1 to 2, and 0 for a tie")
    return round((value or 1.5) - 1, 4)


def rows_of(checkout: Path, models: Sequence[str], judge: Judge) -> list[Row]:
    """The rows, in the order of AlpacaEval; an id is the data set and the place, from 0."""
    rows: dict[str, Row] = {}
    for model in models:
        folder = checkout / "results" / model
        annotations = {row["instruction"]: row for row in _read(judge.annotations(folder))}
        for place, row in enumerate(_read(folder / "model_outputs.json")):
            instruction = row["instruction"]
            verdict = annotations.get(instruction, {})
            target = rows.setdefault(
                instruction,
                {
                    "id": f"{row.get('dataset', 'alpaca_eval')}#{place}",
                    "instruction": instruction,
                    "input": "",
                    "outputs": {},
                    "preference": {},
                },
            )
            target["outputs"][model] = verdict.get("output_2", row["output"]) or ""
            target["preference"][model] = preference(verdict, judge)
    return list(rows.values())


def _read(path: Path) -> list[Row]:
    try:
        return cast("list[Row]", json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {path}: cannot be read: {error}; give a whole checkout, or other --models") from error


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows, packed where the name ends in `.gz`; the same bytes for the same rows."""
    with whole_file(path) as file:
        if path.suffix != ".gz":
            file.writelines(_lines(rows))
            return
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            packed.writelines(_lines(rows))


def _lines(rows: Sequence[Row]) -> Iterator[bytes]:
    return ((dump(row) + "\n").encode() for row in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and run."""
    parser: Any = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, metavar="CHECKOUT", help="of tatsu-lab/alpaca_eval")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="rows to write (.jsonl, .jsonl.gz)")
    parser.add_argument("--judge", choices=JUDGES, default="gpt4_turbo", help="whose preference (gpt4_turbo)")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="folders of results/ (all open ones)")
    options = parser.parse_args(arguments)
    judge = JUDGES[options.judge]
    models = options.models or open_models(options.checkout, judge)
    if not models:
        parser.error(f"{options.checkout}: has no open model with {judge.name}/annotations.json in results/")
    rows = rows_of(options.checkout, models, judge)
    write(options.to, rows)
    print(f"{len(rows)} rows, {len(models)} models; mean preference in %")
    for model in models:
        numbers = [row["preference"][model] for row in rows if row["preference"].get(model) is not None]
        print(f"{model:<40}{f'{100 * sum(numbers) / len(numbers):.1f}' if numbers else '-':>6}{len(numbers):>6}")


if __name__ == "__main__":
    main()
