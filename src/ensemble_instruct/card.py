"""The card of a dataset (`README.md`) and its licence file, out of the facts of a run.

Every value is escaped where it is printed, unless it is `_Made` here: names, reasons and texts of models stay text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ensemble_instruct.card_facts import CITATION, TAGS, Facts, published_name
from ensemble_instruct.config import Config
from ensemble_instruct.config_models import ModelSection
from ensemble_instruct.licences import LICENCE_FILE, Part
from ensemble_instruct.records import KINDS, OF_THREE, STEPS

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_SPECIAL = re.compile(r"([\\`*\[\]<>|&~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
"""What Markdown reads as its own; an underscore only where it is not inside a word."""
_HUB = "https://huggingface.co"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SHOWN_TEXT = 600
_REASON = {
    "yes": "yes", "conditions": "with conditions", "no": "no", "non-commercial": "not commercially",
    "unknown": "unknown", "your own": "a function of its owner's",
}  # fmt: skip


class _Made(str):
    """Markdown that was made here, and is printed as it is."""

    __slots__ = ()


def dataset_card(facts: Facts) -> str:
    """The card: YAML front matter that the Hub reads, and Markdown."""
    config = facts.config
    text = _environment().get_template("card.md.j2").render(
        facts=facts,
        config=config,
        front=_Made(f"---\n{_yaml(front_matter(facts))}---\n"),
        steps=STEPS,
        samples=[{"kind": row["kind"], "block": _Made(_block(row))} for row in facts.samples],
        settings=_settings(config),
        models=[_model(config, name) for name in config.used_models],
        benchmarks=[file.name for file in facts.files if file.what == "benchmarks"],
        filters=_filters(config),
        licences=_Made(_licence_table(facts.parts)),
        citation=_Made(CITATION),
        links=_links(config),
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def front_matter(facts: Facts) -> dict[str, Any]:
    """What the Hub reads of a card."""
    licence = facts.licence
    values: dict[str, Any] = {"pretty_name": _plain(facts.title), "license": licence.hub}
    if licence.name:
        values |= {"license_name": licence.name, "license_link": LICENCE_FILE}
    if facts.languages:
        values["language"] = list(facts.languages)
    return values | {
        "task_categories": ["text-generation"],
        "size_categories": [next((name for end, name in _SIZES if facts.examples < end), "10M<n<100M")],
        "tags": list(TAGS),
        "configs": [
            {
                "config_name": table.name,
                **({"default": True} if place == 0 else {}),
                "data_files": [{"split": split.name, "path": table.pattern(split)} for split in table.splits],
            }
            for place, table in enumerate(facts.tables)
        ],
    }


def licence_file(facts: Facts) -> str:
    """`LICENSE.md`: under which licence the dataset is, by which rule, and what was declared for all it is made of."""
    licence = facts.licence
    texts = "".join(f"* <{link}>\n" for link in licence.links)
    return (
        f"# Licence of {_escaped(facts.title)}\n\n"
        f"{licence.name or licence.hub}: {_escaped(licence.reason)}.\n\n"
        "It is derived from what the owner of the dataset declared, and repeats that. It is no legal advice.\n\n"
        + (f"The texts that hold:\n\n{texts}\n" if texts else "")
        + f"## What was declared\n\n{_licence_table(facts.parts)}\n"
    )


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ensemble_instruct"),
        autoescape=False,  # noqa: S701 - that is for HTML; `finalize` escapes for Markdown
        finalize=_escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": "{:,}".format, "sampling": _sampling, "code": _code}
    return environment


def _escaped(value: object) -> object:
    """A value as one line of Markdown that shows it as it is."""
    return value if isinstance(value, _Made) else _SPECIAL.sub(r"\\\1", _plain(str(value)))


def _code(value: object) -> _Made:
    """A value as code, also in a table."""
    text = _plain(str(value)).replace("|", "\\|")
    fence = "`" * (max([0, *map(len, re.findall("`+", text))]) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return _Made(f"{fence}{space}{text}{space}{fence}")


def _plain(text: str) -> str:
    """The text on one line, without characters that control how it is shown."""
    seen = "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in text)
    return " ".join(seen.split())


def _block(row: Mapping[str, Any]) -> str:
    """An example as JSON in a block of code that none of its texts can end."""
    shown = {name: row[name] for name in ("id", "instruction", "input", "output", "winners", "agreement")}
    shown |= {name: _cut(shown[name]) for name in ("instruction", "input", "output")}
    text = re.sub(r"[^\n\x20-\x7e]", _visible, json.dumps(shown, ensure_ascii=False, indent=2))
    fence = "`" * (max([2, *map(len, re.findall("`+", text))]) + 1)
    return f"{fence}json\n{text}\n{fence}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]} …"


def _visible(found: re.Match[str]) -> str:
    """A letter as it is; what is not seen, or turns others round, as JSON escapes it."""
    letter = found[0]
    return json.dumps(letter)[1:-1] if unicodedata.category(letter)[0] in "CZ" else letter


def _yaml(values: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)


def _sampling(settings: Mapping[str, Any]) -> str:
    """Sampling settings as words."""
    temperature = settings["temperature"]
    words = ["greedy"] if temperature == 0 else [f"temperature {temperature:g}"]
    if temperature and settings.get("top_k"):
        words.append(f"top-k {settings['top_k']}")
    if temperature and settings.get("top_p", 1.0) != 1.0:
        words.append(f"top-p {settings['top_p']:g}")
    words.append(f"{settings.get('min_tokens', 0)} to {settings['max_tokens']} tokens")
    if settings.get("stop"):
        words.append(f"stops at {', '.join(json.dumps(stop) for stop in settings['stop'])}")
    return ", ".join(words)


def _settings(config: Config) -> list[tuple[str, str]]:
    ensemble = config.ensemble
    utilities = "; ".join(f"{kind}: {_mixture(ensemble.utility.of(kind))}" for kind in KINDS)
    chosen = "no least agreement"
    if ensemble.min_agreement is not None:
        chosen = f"an agreement of {ensemble.min_agreement:g} or more"
    if ensemble.keep is not None:
        chosen = f"the {ensemble.keep:.1%} most agreed-on"
    return [
        ("seed of the random choices", str(config.seed)),
        ("profile", config.profile),
        ("seed tasks", "those of ensemble-instruct" if config.seed_tasks is None else "of its owner"),
        ("demonstrations in a prompt of step 1", _per_kind(config.instructions.demonstrations)),
        ("of them machine-made, at most", str(config.instructions.machine_demonstrations)),
        ("novelty threshold (ROUGE-L F1)", f"{config.instructions.novelty_threshold:g}"),
        ("instructions wanted", _per_kind(config.instructions.target)),
        ("voters", ", ".join(["instance", *config.voter_names])),
        ("strategy", config.strategy),
        ("utility", utilities),
        ("kept", chosen),
        *([("threshold", f"{ensemble.threshold:g}")] if config.strategy in OF_THREE else []),
    ]


def _mixture(weights: Mapping[Any, float]) -> str:
    return " + ".join(name if len(weights) == 1 else f"{weight:g} {name}" for name, weight in weights.items())


def _per_kind(numbers: Any) -> str:
    return ", ".join(f"{kind} {numbers.of(kind)}" for kind in KINDS)


def _model(config: Config, name: str) -> dict[str, str]:
    section = config.models[name]
    revision = getattr(section, "revision", None)
    roles = [role for role, value in config.roles if name == value or (isinstance(value, list) and name in value)]
    return {
        "name": name,
        "published": published_name(section),
        "revision": revision or "not declared",
        "provider": f"{section.provider}, {section.endpoint}" if section.provider == "openai" else section.provider,
        "roles": ", ".join(roles) or "filter",
    }


def _filters(config: Config) -> list[tuple[str, str]]:
    """The quality filters that were on, with their settings, decontamination aside."""
    section = getattr(config, "quality", None)
    values = {} if section is None else section.model_dump(mode="json")
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
        known = part.licence
        cells = [
            _escaped(part.title),
            _escaped(part.declared or "not declared"),
            _REASON[part.verdict],
            _escaped(known.says) if known else "",
            f"[{_escaped(known.title)}]({known.source}), {known.date}" if known else "",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _links(config: Config) -> list[tuple[str, str]]:
    """The models that have a page on the Hub, by their names."""
    names = [published_name(section) for section in _openly_named(config)]
    return [(name, f"{_HUB}/{name}") for name in dict.fromkeys(names) if _HUB_NAME.fullmatch(name)]


def _openly_named(config: Config) -> list[ModelSection]:
    sections = [config.models[name] for name in config.used_models]
    return [section for section in sections if section.provider != "scripted"]
