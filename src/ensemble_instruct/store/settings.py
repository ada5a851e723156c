"""What a run was set up with, as it is read today: its config, and the settings that its records were made with.

A run of an older version is read by the names of today. What its config leaves to the program stays as it was when the
run was begun, although a new run would have something else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from ensemble_instruct.config.load import load_config, validated
from ensemble_instruct.config.schema import Config
from ensemble_instruct.records import Strategy
from ensemble_instruct.store.reading import read_meta, reading, require_run

_LEAST = "ensemble.min_confidence"
_OLD_NAMES = {"ensemble.min_agreement": _LEAST}
"""Keys of settings that an older version called otherwise."""
DEFAULT_STRATEGY_OF_RUN = "default_strategy"
"""The name in `meta` of the strategy of a run that an older version began, where its config names none."""


def settings_of(meta: Mapping[str, str]) -> dict[str, Any]:
    """The settings that a run's records were made with, by their keys as they are called today."""
    return renamed_settings(json.loads(meta.get("config", "{}")))


def renamed_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an older version by the keys of today."""
    return {_OLD_NAMES.get(key, key): value for key, value in settings.items()}


def run_config(folder: Path, overrides: Sequence[str] = ()) -> Config:
    """The config of a run folder, with the strategy that it has where it names none; `overrides` are put over it.

    Raises `InputFileError` if the folder is not a run, `ConfigError` for a config that cannot be read.
    """
    database = require_run(folder)
    config = load_config(folder / "config.yaml", overrides=overrides)
    if config.ensemble.strategy is not None:
        return config
    with reading(database) as connection:
        return with_strategy_of_run(config, read_meta(connection))


def with_strategy_of_run(config: Config, meta: Mapping[str, str]) -> Config:
    """A config for the run that has this `meta`: where it names no strategy, an older run keeps its own."""
    strategy = default_strategy_of(meta)
    if config.ensemble.strategy is not None or strategy in (None, config.strategy):
        return config
    values = config.model_dump(mode="json")
    values["ensemble"]["strategy"] = strategy
    return validated(values, f"strategy {strategy}, by which the run was begun", of_run=True)


def noted_strategy(meta: Mapping[str, str]) -> dict[str, str]:
    """What `meta` must have before settings of today take the place of those that an older version wrote."""
    strategy = default_strategy_of(meta)
    return {} if strategy is None else {DEFAULT_STRATEGY_OF_RUN: strategy}


def default_strategy_of(meta: Mapping[str, str]) -> Strategy | None:
    """The strategy of a run where its config names none; None where it has that of every new run."""
    settings = json.loads(meta.get("config", "{}"))
    kept = None if _LEAST in settings else settings.get("ensemble.strategy")  # without that key it is an older one
    noted = meta.get(DEFAULT_STRATEGY_OF_RUN, kept)
    return next((strategy for strategy in get_args(Strategy) if strategy == noted), None)
