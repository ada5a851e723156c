"""Configs as users write them: YAML files, presets and `--set`; every mistake with file, line, key and what to do."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from ensemble_instruct.config.bundled import BUNDLED, preset_text
from ensemble_instruct.config.keys import OF_RUN, is_like_key, place_of_key
from ensemble_instruct.config.known_tasks import with_known_licence
from ensemble_instruct.config.mistakes import in_one_line
from ensemble_instruct.config.quality import QualitySection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.config.section import Section
from ensemble_instruct.config.spelling import (
    LONGEST,
    Place,
    Spelling,
    comment_in,
    read_yaml,
    read_yaml_file,
    shortened,
)
from ensemble_instruct.errors import ConfigError, UsageError

log = logging.getLogger(__name__)
Overrides = Mapping[str, Any] | Sequence[str]
"""Settings by key, or `key=value` texts as `--set` has them."""
ConfigSource = Config | Path | str | Mapping[str, Any]
"""A config as who calls from Python names it."""
_MAY_HOLD_A_KEY = re.compile(
    r"headers|query|api_?key|extra_body|options|base_url|authori|secret|passw|token(?!s)", re.IGNORECASE
)
"""What is in a `--set` that no message shows whole."""
_MOST_SHOWN = 300
"""Letters of a `--set` that a message shows."""
_OLD_NAME = "min_agreement"
"""How `ensemble.min_confidence` was called."""


def load_config(
    path: Path | str | None = None, *, preset: str | None = None, overrides: Overrides | None = None
) -> Config:
    """The config in a YAML file or of a bundled preset, with overrides put over it; or one of settings alone.

    `overrides` is a mapping, whose keys may be dotted or have mappings below them, `{"instructions.window": 32}` or
    `{"instructions": {"window": 32}}`: what it does not name stays. Or, as `--set` has them, texts `key=value` of YAML.

    Paths in the file are relative to its folder, all others to the working folder. Raises `ConfigError`, with file,
    line and key where they are known, and `UsageError` for a path and a preset at once.
    """
    if path is not None and preset is not None:
        raise UsageError("give either a path or a preset, not both")
    if preset is not None:
        return parse_config(preset_text(preset), f"preset {preset}", Path.cwd(), overrides or ())
    if path is None:
        if overrides is None:
            raise UsageError("give the path of a config, a preset or settings")
        return _completed({}, "settings", overrides, {})
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; check the path") from error
    return parse_config(text, str(path), path.resolve().parent, overrides or ())


def config_of(config: ConfigSource) -> Config:
    """A config as who calls from Python names it: itself, the path of its file, or its settings as a mapping."""
    if isinstance(config, Config):
        return config
    return load_config(overrides=config) if isinstance(config, Mapping) else load_config(config)


def parse_config(text: str, source: str, folder: Path, overrides: Overrides = ()) -> Config:
    """The config in a YAML text; `source` names it in errors, relative paths start at `folder`. Raises `ConfigError`.

    The overrides are put over it, and known seed tasks get their licence.
    """
    values, spelled = read_yaml_file(text, source)
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: expected keys and values; `ensemble-instruct init` writes an example")
    _anchor_paths(values, folder)
    of_run = (folder / "run.db").is_file()
    if of_run:  # a run wrote it: an old name in it is nothing to tell its user about
        _rename(values.get("ensemble"))
    return _completed(values, source, overrides, spelled, of_run=of_run and not overrides)


def _rename(section: Any) -> None:
    """Give the value that has its old name the new one."""
    if isinstance(section, dict) and (value := section.pop(_OLD_NAME, None)) is not None:
        section.setdefault("min_confidence", value)


def _completed(
    values: dict[str, Any],
    source: str,
    overrides: Overrides,
    spelled: dict[Place, Spelling],
    *,
    of_run: bool = False,
) -> Config:
    if isinstance(overrides, Mapping):
        where = "overrides" if spelled else source
        for key, value in overrides.items():
            _put(values, str(key), value, spelled, where)
    else:
        for override in overrides:
            _override(values, override, spelled)
    _anchor_paths(values, Path.cwd())
    config = with_known_licence(validated(values, source, spelled, of_run=of_run))
    if (values.get("ensemble") or {}).get(_OLD_NAME) is not None:
        place = spelled.get(("ensemble", _OLD_NAME))
        log.warning("%s: ensemble.%s is called min_confidence now", place.where if place else source, _OLD_NAME)
    return config


def validated(
    values: dict[str, Any], source: str, spelled: Mapping[Place, Spelling] | None = None, *, of_run: bool = False
) -> Config:
    """The config with these values; raises `ConfigError`, which names where the value is spelled, else the source.

    One `of_run` is what a run has written: no key is looked for in it.
    """
    try:
        return Config.model_validate(values, context=OF_RUN if of_run else None)
    except ValidationError as error:
        raise ConfigError(in_one_line(error, source, spelled or {})) from error


class _QualityAlone(Section):
    """What step 5 of files takes of a config."""

    quality: QualitySection = Field(default_factory=QualitySection)
    """The filters."""


def quality_of(overrides: Sequence[str]) -> QualitySection:
    """The filters that `quality.key=value` overrides switch on, without a config. Raises `ConfigError`."""
    values: dict[str, Any] = {}
    spelled: dict[Place, Spelling] = {}
    for override in overrides:
        if not override.strip().startswith(("quality.", "quality=")):
            raise ConfigError(f"--set {override}: step 5 of files takes filters alone, such as quality.refusals=true")
        _override(values, override, spelled)
    _anchor_paths(values, Path.cwd())
    try:
        section = _QualityAlone.model_validate(values).quality
    except ValidationError as error:
        raise ConfigError(in_one_line(error, "--set", spelled)) from error
    if section.toxicity is not None:
        raise ConfigError("--set quality.toxicity: asks a model while step 4 goes on; switch it on in a run's config")
    return section


def _anchor_paths(values: dict[str, Any], folder: Path) -> None:
    """Make the paths of a config absolute."""
    models = values.get("models")
    instances = values.get("instances")
    files_of = instances.get("demonstrations") if isinstance(instances, dict) else None
    holders: list[tuple[Any, str]] = [
        (values, "seed_tasks"),
        (values, "prompts"),
        (files_of, "input_output"),
        (files_of, "output_only"),
    ]
    holders += [(values.get("ensemble"), key) for key in ("embedding_model", "reward_model")]
    sections = models.values() if isinstance(models, dict) else ()
    holders += [(model, key) for model in sections for key in ("replies", "path", "ca_file")]
    for holder, key in holders:
        if isinstance(holder, dict) and isinstance(holder.get(key), str) and not holder[key].startswith(BUNDLED):
            holder[key] = _anchored(holder[key], key, folder)
    for section, key in (("instructions", "against"), ("quality", "decontaminate")):
        lists = values.get(section)
        if isinstance(lists, dict) and isinstance(paths := lists.get(key), list):
            lists[key] = [
                _anchored(path, f"{section}.{key}", folder) if isinstance(path, str) else path for path in paths
            ]


def _anchored(path: str, key: str, folder: Path) -> str:
    if "\0" in path:
        raise ConfigError(f"{key}: a path cannot hold a zero byte; write the path of the file")
    return str(folder / os.path.expanduser(path))  # noqa: PTH111 - leaves an unknown ~user


def _override(values: dict[str, Any], override: str, spelled: dict[Place, Spelling]) -> None:
    dotted, equals, text = override.partition("=")
    names = tuple(_split_key(dotted.strip(), values))
    where = f"--set {shortened(' '.join(override.split()), _MOST_SHOWN)}"
    shown = shortened(" ".join(dotted.split()), _MOST_SHOWN)
    if place_of_key(dotted) is not None or (is_like_key(dotted) and not equals):
        where = "--set …"
    elif _MAY_HOLD_A_KEY.search(override) or is_like_key(text) or place_of_key(text) is not None:
        where = f"--set {shown}=…"
    if not equals or not all(names):
        raise ConfigError(f"{where}: write it as key=value, such as instructions.window=32")
    value, found = _value_of(text, where, f"--set '{shown}=\"…\"'", names)
    _holder_of(values, names, where)[names[-1]] = value
    _forget(spelled, names)
    spelled.update(found)
    _spell_sections(spelled, names, where)


def _spell_sections(spelled: dict[Place, Spelling], names: Place, where: str) -> None:
    """Note where the sections come from that a key made."""
    for end in range(1, len(names)):
        spelled.setdefault(names[:end], Spelling(where))


def _forget(spelled: dict[Place, Spelling], above: Place) -> None:
    """Drop the spellings of a place and of all below it."""
    for place in [place for place in spelled if place[: len(above)] == above]:
        del spelled[place]


def _value_of(text: str, where: str, quoted: str, names: Place) -> tuple[Any, dict[Place, Spelling]]:
    """What a value of `--set` says, all of it; raises `ConfigError`."""
    try:
        if comment := comment_in(text):
            shown = "what begins with #" if where.endswith("…") else f"'{shortened(' '.join(comment.split()))}'"
            raise ConfigError(f"{where}: {shown} would be cut off: to YAML it is a comment; quote it: {quoted}")
        value, found = read_yaml(text, lambda _: where, names)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{where}: the value is not YAML: {error.problem}; quote it: {quoted}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{where}: the value is not YAML: {problem}; check it") from error
    if not found and text.strip():
        raise ConfigError(f"{where}: the value says nothing in YAML; quote it: {quoted}")
    return value, found or {names: Spelling(where, "", "null")}


def _put(values: dict[str, Any], dotted: str, value: Any, spelled: dict[Place, Spelling], where: str) -> None:
    """Set a key to a value of Python; a mapping is put over what there is, key by key."""
    names = tuple(_split_key(dotted, values))
    holder = _holder_of(values, names, f"overrides: {dotted}")
    holder[names[-1]] = _merged(holder.get(names[-1]), value)
    for place, is_section in _places(names, value):
        if not is_section:
            _forget(spelled, place)
        spelled.setdefault(place, Spelling(where))
    _spell_sections(spelled, names, where)


def _places(at: Place, value: Any) -> Iterator[tuple[Place, bool]]:
    """The place of a value of Python and those below it, and whether each is that of a mapping."""
    yield at, isinstance(value, Mapping)
    inner = value if isinstance(value, Mapping) else dict(enumerate(value)) if isinstance(value, list | tuple) else {}
    for key, each in inner.items():
        yield from _places((*at, str(key)), each)


def _merged(before: Any, value: Any) -> Any:
    """A value as YAML would have it, put over the one before."""
    if isinstance(value, Mapping):
        known = before if isinstance(before, dict) else {}
        return known | {str(key): _merged(known.get(str(key)), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_merged(None, inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def _holder_of(values: dict[str, Any], names: Sequence[str], where: str) -> dict[str, Any]:
    """The section that the last of the names is a key of; sections that are missing are made."""
    holder = values
    for name in names[:-1]:
        inner = holder.get(name)
        if inner is None:
            inner = holder[name] = {}
        if not isinstance(inner, dict):
            raise ConfigError(f"{where}: '{name}' has no keys below it")
        holder = inner
    return holder


def _split_key(dotted: str, values: dict[str, Any]) -> list[str]:
    """The parts of a dotted key; the name of a model may have dots of its own."""
    first, _, rest = dotted.partition(".")
    models = values.get("models")
    if first == "models" and isinstance(models, dict):
        for name in sorted(map(str, models), key=len, reverse=True):
            if rest.startswith(f"{name}."):
                return ["models", name, *rest[len(name) + 1 :].split(".")]
    return dotted.split(".")
