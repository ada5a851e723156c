"""The words before the parts of a worked example in step 2, and what ends a reply; those of `labels.yaml`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace
from typing import Any

from ensemble_instruct.config.spelling import read_yaml_file
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.replies.worked_tasks.labels import Name

_COLONS = (":", "\uff1a")
_LONGEST = 40
"""Letters of a label."""
PARTS: tuple[Name, ...] = ("instruction", "input", "output")
"""What there is a label for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """How the parts of a worked example are labelled, and where a reply over completions ends."""

    instruction: str
    input: str
    output: str
    stop_instructions: tuple[str, ...]
    """With `{number}` for the number of the task after the one that is written."""
    stop_instances: tuple[str, ...] = ()
    """Empty: where the next task begins."""

    @property
    def headings(self) -> dict[str, str]:
        """The labels as they are written over chat: with a capital letter."""
        return {part: text[:1].upper() + text[1:] for part, text in self.as_written.items()}

    @property
    def as_written(self) -> dict[str, str]:
        """The labels by what they are for."""
        return {part: str(getattr(self, part)) for part in PARTS}

    @property
    def own_names(self) -> dict[str, Name]:
        """What each label is for, by its word in small letters; empty where they are the English ones."""
        names: dict[str, Name] = {self.as_written[part][:-1].strip().lower(): part for part in PARTS}
        return {} if all(word == part for word, part in names.items()) else names

    def stops_of_list(self, number: int) -> tuple[str, ...]:
        """Where a reply of step 1 ends, if it writes the task before this number."""
        return tuple(stop.replace("{number}", str(number)) for stop in self.stop_instructions)

    @property
    def stops_of_example(self) -> tuple[str, ...]:
        """Where a reply of step 2 ends."""
        return self.stop_instances or (f"\n\n{self.instruction}",)


def labels_of(text: str, place: str, base: Labels | None = None) -> Labels:
    """The labels in a YAML text; what it does not name is that of `base`. Raises `ConfigError`, with file and line."""
    values, places = _values(text, place)
    names = [field.name for field in fields(Labels)]
    for key, value in values.items():
        where = f"{places[key]}: {key}"
        if key not in names:
            raise ConfigError(
                f"{where}: unknown key; did you mean '{difflib.get_close_matches(key, names, 1, 0.0)[0]}'?"
            )
        _require_good(key, value, where)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    labels = replace(base, **values) if base else Labels(**values)
    if len({label[:-1].strip().lower() for label in labels.as_written.values()}) < len(PARTS):
        raise ConfigError(f"{place}: two of instruction, input and output have the same label; choose another")
    return labels


def _values(text: str, place: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What the text says, and the file and line of each key."""
    values, spelled = read_yaml_file(text, place)
    if values is None:
        return {}, {}
    if not isinstance(values, dict):
        raise ConfigError(f'{place}: expected keys and values, such as input: "Eingabe:"')
    return values, {key: spelled[key,].where for key in values}


def _require_good(key: str, value: Any, where: str) -> None:
    if key in PARTS:
        is_good = isinstance(value, str) and value == value.strip() and len(value) <= _LONGEST and "\n" not in value
        if not is_good or not value.endswith(_COLONS) or not any(map(str.isalpha, value)):
            raise ConfigError(f'{where}: a label is a word with a colon at its end, in quotes, such as "input:"')
    elif not isinstance(value, list) or not value or not all(isinstance(stop, str) and stop for stop in value):
        raise ConfigError(f'{where}: expected a list of texts, such as ["\\n\\n"]')
