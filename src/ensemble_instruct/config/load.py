"""Configs as users write them: YAML files, presets and `--set`; every mistake with file, line, key and what to do."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from ensemble_instruct.config.bundled import BUNDLED, preset_text
from ensemble_instruct.config.known_tasks import with_known_licence
from ensemble_instruct.config.quality import QualitySection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.config.section import Section
from ensemble_instruct.errors import ConfigError, UsageError

log = logging.getLogger(__name__)
Overrides = Mapping[str, Any] | Sequence[str]
"""Settings by key, or `key=value` texts as `--set` has them."""
ConfigSource = Config | Path | str | Mapping[str, Any]
"""A config as who calls from Python names it."""
_OLD_NAME = "min_agreement"
"""How `ensemble.min_confidence` was called."""
_DEEPEST = 20
"""Most keys below each other: YAML's aliases can make a value that holds itself."""


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
        text = path.read_text(encoding="utf-8")
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
    lines: dict[tuple[str, ...], int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{source}:{line}: not YAML: {error.problem}; check indentation and quotes") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: not YAML: {' '.join(str(error).split())}; check the values") from error
    _note_lines(node, (), lines, source)
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: expected keys and values; `ensemble-instruct init` writes an example")
    _anchor_paths(values, folder)
    if (folder / "run.db").is_file():  # a run wrote it: an old name in it is nothing to tell its user about
        _rename(values.get("ensemble"))
    return _completed(values, source, overrides, lines)


def _rename(section: Any) -> None:
    """Give the value that has its old name the new one."""
    if isinstance(section, dict) and (value := section.pop(_OLD_NAME, None)) is not None:
        section.setdefault("min_confidence", value)


def _completed(values: dict[str, Any], source: str, overrides: Overrides, lines: dict[tuple[str, ...], int]) -> Config:
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            _put(values, str(key), value)
    else:
        for override in overrides:
            _override(values, override)
    _anchor_paths(values, Path.cwd())
    config = with_known_licence(validated(values, source, lines))
    if (values.get("ensemble") or {}).get(_OLD_NAME) is not None:
        line = lines.get(("ensemble", _OLD_NAME))
        log.warning("%s: ensemble.%s is called min_confidence now", f"{source}:{line}" if line else source, _OLD_NAME)
    return config


def validated(values: dict[str, Any], source: str, lines: dict[tuple[str, ...], int] | None = None) -> Config:
    """The config with these values; raises `ConfigError`, which names the source and the line of the key, if known.

    `lines` has for each key, as a path of names, the line in which it is.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_one_line(error, source, lines or {})) from error


class _QualityAlone(Section):
    """What step 5 of files takes of a config."""

    quality: QualitySection = Field(default_factory=QualitySection)
    """The filters."""


def quality_of(overrides: Sequence[str]) -> QualitySection:
    """The filters that `quality.key=value` overrides switch on, without a config. Raises `ConfigError`."""
    values: dict[str, Any] = {}
    for override in overrides:
        if not override.strip().startswith(("quality.", "quality=")):
            raise ConfigError(f"--set {override}: step 5 of files takes filters alone, such as quality.refusals=true")
        _override(values, override)
    _anchor_paths(values, Path.cwd())
    try:
        section = _QualityAlone.model_validate(values).quality
    except ValidationError as error:
        raise ConfigError(_one_line(error, "--set", {})) from error
    if section.toxicity is not None:
        raise ConfigError("--set quality.toxicity: asks a model while step 4 goes on; switch it on in a run's config")
    return section


def _note_lines(node: yaml.Node | None, at: tuple[str, ...], lines: dict[tuple[str, ...], int], source: str) -> None:
    if len(at) > _DEEPEST:
        raise ConfigError(f"{source}: {'.'.join(at[:3])}: goes on for ever; write it out without aliases")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = (*at, str(key.value))
            if path in lines:
                raise ConfigError(
                    f"{source}:{key.start_mark.line + 1}: {'.'.join(path)}: stands already in line {lines[path]}"
                )
            lines[path] = key.start_mark.line + 1
            _note_lines(value, path, lines, source)


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


def _override(values: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    names = _split_key(dotted.strip(), values)
    if not equals or not all(names):
        raise ConfigError(f"--set {override}: write it as key=value, such as instructions.window=32")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"--set {override}: the value is not YAML") from error
    _holder_of(values, names, f"--set {override}")[names[-1]] = value


def _put(values: dict[str, Any], dotted: str, value: Any) -> None:
    """Set a key to a value of Python; a mapping is put over what there is, key by key."""
    names = _split_key(dotted, values)
    holder = _holder_of(values, names, f"overrides: {dotted}")
    holder[names[-1]] = _merged(holder.get(names[-1]), value)


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


def _one_line(error: ValidationError, source: str, lines: dict[tuple[str, ...], int]) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    context = first.get("ctx") or {}
    location = [str(part) for part in first["loc"]]
    if location[-1:] in (["str"], ["list[str]"]) and tuple(location) not in lines:
        location.pop()  # pydantic names which branch of a union it tried: no key of the user's
    if "keys" in context:  # those that a user has chosen
        location += [key if key.isprintable() else repr(key)[1:-1] for key in map(str, context["keys"])]
    elif "key" in context:
        location = [*location, *str(context["key"]).split(".")] if first["type"] == "unknown_key" else str(
            context["key"]
        ).split(".")  # fmt: skip
    line = next((lines[key] for end in range(len(location), 0, -1) if (key := tuple(location[:end])) in lines), None)
    where = f"{source}:{line}" if line else source
    message = first["msg"].removeprefix("Value error, ")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if message[1:2].islower():
        message = message[0].lower() + message[1:]
    return f"{where}: {'.'.join(location) or 'config'}: {message}{more}"
