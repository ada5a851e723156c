"""The card of a dataset (`README.md`) and its licence file, out of the facts of a run.

Every value is escaped where it is printed, unless it is `_Markdown`: names, reasons and texts of models stay text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.export.facts import CITATION, Facts
from ensemble_instruct.export.front_matter import front_matter, plain_line, yaml_text
from ensemble_instruct.licences.policy import Part
from ensemble_instruct.licences.table import licences_named
from ensemble_instruct.quality.decontamination import CONTAMINATED, THRESHOLD, WORDS
from ensemble_instruct.records import FURTHER_SETTINGS, OF_THREE, STEPS, Kind

_SPECIAL = re.compile(r"([\\`*\[\]<>|&~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
"""What Markdown reads as its own; an underscore only where it is not inside a word."""
_HUB = "https://huggingface.co"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
"""A name that has a page on the Hub: `OWNER/NAME`."""
_SHOWN_TEXT = 600
"""Characters of a text in an example on the card."""
_REASON = {
    "yes": "yes", "conditions": "with conditions", "no": "no", "non-commercial": "not commercially",
    "unknown": "unknown", "your own": "a function of its owner's",
}  # fmt: skip
"""How the card says the verdict of a part: whether its outputs may train other models."""


class _Markdown(str):
    """Markdown of our own, which is printed as it is."""

    __slots__ = ()


def dataset_card(facts: Facts) -> str:
    """The card: YAML front matter that the Hub reads, and Markdown."""
    config = facts.config
    text = _environment().get_template("card.md.j2").render(
        facts=facts,
        config=config,
        front=_Markdown(f"---\n{yaml_text(front_matter(facts))}---\n"),
        steps=STEPS,
        samples=[{"kind": row["kind"], "block": _Markdown(_block(row))} for row in facts.samples],
        settings=_settings(facts),
        columns={column.name for table in facts.tables for column in table.columns},
        words=(WORDS, THRESHOLD),
        models=[_model(facts, name) for name in facts.models],
        contaminated=sum(drop.count for drop in facts.dropped if drop.reason == CONTAMINATED),
        benchmarks=[file.name for file in facts.files if file.what == "benchmarks"],
        filters=_filters(config),
        licences=_Markdown(_licence_table(facts.parts)),
        citation=_Markdown(CITATION),
        cited=_cited(facts),
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def licence_file(facts: Facts) -> str:
    """`LICENSE.md`: under which licence the dataset is, by which rule, and what was declared for each of its parts."""
    licence = facts.licence
    of_parts = [one.source for part in facts.parts if part.licence for one in part.licence.parts if licence.links]
    texts = "".join(f"* <{link}>\n" for link in dict.fromkeys([*licence.links, *of_parts]))
    return (
        f"# Licence of {_escaped(facts.title)}\n\n"
        f"{licence.name or licence.hub}: {_escaped(licence.reason)}.\n\n"
        "It is derived from what the owner of the dataset declared, and repeats that. It is no legal advice.\n\n"
        + (f"The texts that hold:\n\n{texts}\n" if texts else "")
        + f"## What was declared\n\n{_licence_table(facts.parts)}\n"
    )


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ensemble_instruct.export", ""),
        autoescape=False,  # noqa: S701 - that is for HTML; `finalize` escapes for Markdown
        finalize=_escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": "{:,}".format, "usd": "{:,.4f}".format, "sampling": _sampling, "code": _code}
    return environment


def _escaped(value: object) -> object:
    """A value as one line of Markdown that shows it as it is."""
    return value if isinstance(value, _Markdown) else _SPECIAL.sub(r"\\\1", plain_line(str(value)))


def _code(value: object) -> _Markdown:
    """A value as code, also in a table."""
    text = plain_line(str(value)).replace("|", "\\|")
    fence = "`" * (max([0, *map(len, re.findall("`+", text))]) + 1)  # longer than any in the text: it cannot end there
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return _Markdown(f"{fence}{space}{text}{space}{fence}")


def _block(row: Mapping[str, Any]) -> str:
    """An example as JSON in a block of code that none of its texts can end."""
    shown = {name: row[name] for name in ("id", "instruction", "input", "output", "winners", "agreement", "confidence")}
    shown |= {name: _cut(shown[name]) for name in ("instruction", "input", "output")}
    text = re.sub(r"[^\n\x20-\x7e]", _visible, json.dumps(shown, ensure_ascii=False, indent=2))
    fence = "`" * (max([2, *map(len, re.findall("`+", text))]) + 1)
    return f"{fence}json\n{text}\n{fence}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]} …"


def _visible(match: re.Match[str]) -> str:
    """A letter as it is; what cannot be seen, or turns others round, as JSON escapes it."""
    letter = match[0]
    return json.dumps(letter)[1:-1] if unicodedata.category(letter)[0] in "CZ" else letter


def _sampling(settings: Mapping[str, Any]) -> str:
    """Sampling settings as words."""
    temperature = settings["temperature"]
    words = ["greedy"] if temperature == 0 else [f"temperature {temperature:g}"]
    if temperature and settings.get("top_k"):
        words.append(f"top-k {settings['top_k']}")
    if temperature and settings.get("top_p", 1.0) != 1.0:
        words.append(f"top-p {settings['top_p']:g}")
    words += [
        f"{name.replace('_', ' ')} {settings[name]}"
        for name in FURTHER_SETTINGS
        if settings.get(name) not in (None, "")
    ]
    words.append(f"{settings.get('min_tokens', 0)} to {settings['max_tokens']} tokens")
    if settings.get("stop"):
        words.append(f"stops at {', '.join(json.dumps(stop) for stop in settings['stop'])}")
    return ", ".join(words)


def _settings(facts: Facts) -> list[tuple[str, str]]:
    config, ensemble = facts.config, facts.config.ensemble
    utilities = "; ".join(f"{kind}: {_mixture(ensemble.utility.of(kind))}" for kind in facts.kinds)
    return [
        ("seed of the random choices", str(config.seed)),
        ("profile", config.profile),
        *_beginning(facts),
        ("voters", ", ".join(["instance", *config.voter_names])),
        ("strategy", config.strategy),
        ("utility", utilities),
        *([("sentence encoder", ensemble.embedding_model.name)] if ensemble.embedding_model else []),
        *([("reward model", ensemble.reward_model.name)] if ensemble.reward_model else []),
        ("kept", _kept(facts)),
        *([("threshold", f"{ensemble.threshold:g}")] if config.strategy in OF_THREE else []),
    ]


def _beginning(facts: Facts) -> list[tuple[str, str]]:
    """What the run began with: seed tasks and what step 1 made of them, or tasks of its owner."""
    config = facts.config
    if config.tasks is not None:
        return [(f"{config.tasks} of its owner", _per_kind(facts.kinds, config.instructions.target))]
    return [
        ("seed tasks", "those of ensemble-instruct" if facts.has_bundled_seeds else "of its owner"),
        ("demonstrations in a prompt of step 1", _per_kind(facts.kinds, config.instructions.demonstrations)),
        ("of them machine-made, at most", str(config.instructions.machine_demonstrations)),
        ("novelty threshold (ROUGE-L F1)", f"{config.instructions.novelty_threshold:g}"),
        ("instructions wanted", _per_kind(facts.kinds, config.instructions.target)),
    ]


def _kept(facts: Facts) -> str:
    """What an example must reach, also where the config leaves it to the strategy."""
    if facts.config.ensemble.keep is not None:
        return f"the {100 * facts.config.ensemble.keep:g} % with the highest confidence"
    selection = Selection.of(facts.config)
    least = {kind: f"{selection.least(kind):.3g}" for kind in facts.kinds}
    if not any(map(float, least.values())):
        return "no least confidence"
    if len(set(least.values())) == 1:
        return f"a confidence of {next(iter(least.values()))} or more"
    return "a confidence of " + ", ".join(f"{value} or more ({kind})" for kind, value in least.items())


def _mixture(weights: Mapping[Any, float]) -> str:
    return " + ".join(name if len(weights) == 1 else f"{weight:g} {name}" for name, weight in weights.items())


def _per_kind(kinds: Sequence[Kind], numbers: Any) -> str:
    return ", ".join(f"{kind} {numbers.of(kind)}" for kind in kinds)


def _model(facts: Facts, name: str) -> dict[str, str]:
    config, section = facts.config, facts.config.models[name]
    roles = [role for role, value in config.roles if name == value or (isinstance(value, list) and name in value)]
    roles += ["judges"] if name in config.judges and "judges" not in roles else []
    roles += ["filter"] if config.quality.toxicity and config.quality.toxicity.model == name else []
    steps = dict.fromkeys(group.step for group in facts.requests if group.model == name)
    return {
        "name": name,
        "published": section.public_name,
        "revision": f"ensemble-instruct {facts.version}" if section.is_bundled else section.revision or "not declared",
        "provider": f"{section.provider}, {section.endpoint}" if section.provider == "openai" else section.provider,
        "roles": ", ".join(roles or steps),
    }


def _filters(config: Config) -> list[tuple[str, str]]:
    """The quality filters that were on, with their settings, decontamination aside."""
    values = config.quality.model_dump(mode="json")
    on = {name: value for name, value in values.items() if value not in (None, False, []) and name != "decontaminate"}
    return [(name.replace("_", " "), "" if value is True else _setting(value)) for name, value in on.items()]


def _setting(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items() if inner is not None)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _licence_table(parts: Sequence[Part]) -> str:
    """What was declared for each part and what it says of outputs, as a table of Markdown."""
    lines = [
        "| of | declared | outputs may train other models | what it says of outputs | source |",
        "|---|---|---|---|---|",
    ]
    for part in parts:
        known = part.licence or part.published
        each = known.each if known else ()
        cells = [
            _escaped(part.title),
            f"{_escaped(part.declared or 'not declared')}{_by_name(part)}",
            _REASON[part.verdict],
            _escaped(known.says) if known else "",
            "; ".join(f"[{_escaped(one.title)}]({one.source}), {one.date}" for one in each),
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _by_name(part: Part) -> str:
    """What the name of a model tells of its licence, where that is not what was declared."""
    if part.published is None or part.published.id in licences_named(part.declared or ""):
        return ""
    return f" (published under {_escaped(part.published.id)}, as far as its name tells)"


def _cited(facts: Facts) -> list[_Markdown]:
    """The language models by their names, with a link to those that have a page on the Hub."""
    sections = [facts.config.models[name] for name in facts.models]
    named = {section.public_name: section for section in sections if section.provider != "scripted"}
    return [_Markdown(_cite(name, section)) for name, section in named.items()]


def _cite(name: str, section: ModelSection) -> str:
    shown = f"[{_escaped(name)}]({_HUB}/{name})" if _HUB_NAME.fullmatch(section.model) else str(_escaped(name))
    at = f" at {_escaped(section.revision)}" if section.revision else ""
    return f"{shown}{at}"
