"""What differs between the config a run was started with and the one it is resumed with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ensemble_instruct.agreement.utilities import normalised_weights
from ensemble_instruct.config.schema import Config
from ensemble_instruct.files.digest import short_file_digest, short_folder_digest, short_rows_digest
from ensemble_instruct.prompts.folder import LABELS, load_prompts
from ensemble_instruct.prompts.forms import CHAT_FORM
from ensemble_instruct.records import KINDS, Kind
from ensemble_instruct.steps.seed_tasks import load_demonstrations, load_seed_tasks, seed_tasks_digest

_WITHOUT_EFFECT = (
    "api_key_env", "batch_size", "batch_tokens", "ca_file", "device", "exclusive", "give_up_after", "headers",
    "known_as", "license", "max_in_flight", "max_tries", "price", "requests_per_minute", "threads", "timeout",
    "tokens_per_minute", "unload", "weight",
)  # fmt: skip
"""Settings of a model that change no answer."""
_WHICH = ("provider", "base_url", "model", "path", "function", "replies")
"""Settings that say which model it is."""
SELECTING = ("ensemble.", "quality.")
"""What the keys of step 5 begin with."""


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that differs, in words."""

    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}"


def fingerprint(config: Config) -> dict[str, Any]:
    """The settings that decide a run's records, by dotted key, with digests of the files they name."""
    values = config.model_dump(mode="json", exclude={"quality", "licenses", "prompts"})
    values |= {"prompts": prompts} if (prompts := _prompts(config)) else {}
    del values["instructions"]["mean_similarity"]  # asks nothing again, and each start makes the records anew
    against = [short_file_digest(path) for path in config.instructions.against]
    del values["instructions"]["against"]
    if against:
        values["instructions"]["against"] = against
    filters = config.instructions.filters
    values["instructions"]["filters"] = filters.model_dump(mode="json", exclude_defaults=True) if filters else {}
    values["models"] = {name: _model(config, name) for name in config.used_models}
    if config.tasks is None:
        del values["tasks"]
        values["seed_tasks"] = seed_tasks_digest(load_seed_tasks(config.seed_tasks))
    else:
        values["seed_tasks"] = None
    values["instances"]["demonstrations"] = {
        kind: short_rows_digest(load_demonstrations(kind, config.instances.demonstrations.of(kind)))
        for kind in _kinds(config)
    }
    values["ensemble"] = _selection(config)
    values |= _quality(config)
    values["roles"] |= _helpers(config)
    if not config.roles.merged:
        del values["roles"]["merged"]  # as it was before runs could be merged
    values["outputs"]["samples"] = {voter.model: voter.of for voter in config.voters if voter.of > 1}
    return dict(_flat(values, ""))


def with_selection(fingerprint_before: dict[str, Any], config: Config) -> dict[str, Any]:
    """A fingerprint as it is when nothing but the selection of step 5 is that of the config."""
    gone = {f"models.{name}." for name in config.models if name not in config.used_models}
    others = {key: value for key, value in fingerprint_before.items() if not key.startswith((*SELECTING, *gone))}
    came = {name: _model(config, name) for name in config.used_models if f"models.{name}.provider" not in others}
    selected = {"ensemble": _selection(config), **_quality(config), "roles": _helpers(config), "models": came}
    return others | dict(_flat(selected, ""))


def _model(config: Config, name: str) -> dict[str, Any]:
    """What of a model changes its answers."""
    section = config.models[name]
    values = section.model_dump(mode="json")
    for setting in _WITHOUT_EFFECT:
        del values[setting]
    if section.provider == "openai":
        values["base_url"] = section.known_url
    values["system"] = section.system or None  # not set, as it was before there was the key
    values["replies"] = short_file_digest(section.replies)
    if section.endpoint == "chat" and config.profile == "default":
        values["form"] = CHAT_FORM
    if "form" not in values or section.structured == "auto":
        del values["structured"]  # without effect, or noted by the run itself
    if section.content is not None:
        values["path"] = section.content
    return values


def _prompts(config: Config) -> dict[str, str]:
    """The prompts in use that are other ones than the bundled, as digests by file name."""
    if config.prompts is None:
        return {}
    helpers, toxicity = _helpers(config), config.quality.toxicity
    used: dict[str, Iterable[str | None]] = {
        "instructions": [config.roles.instructions],
        "instances": [config.roles.instances],
        "outputs": config.roles.outputs,
        "fusion": [helpers["fusion"]],
        "verdict": [helpers["judge"]],
        "rating": config.judges,
        "toxicity": [toxicity.model if toxicity else None],
    }
    asked = ((name, model) for name, models in used.items() for model in models if model in config.models)
    names = {f"{config.models[model].endpoint}/{name}.j2" for name, model in asked}
    digests = load_prompts(config.prompts).digests
    return {name: digest for name, digest in digests.items() if name in names or name == LABELS}


def _helpers(config: Config) -> dict[str, Any]:
    """The models that step 5 has use for."""
    fuser = config.roles.fusion if config.ensemble.fusion else None
    judge = config.roles.judge if "judge" in config.ensemble.utility.names else None
    return {"fusion": fuser, "judge": judge, "judges": sorted(config.judges) or None}


def _selection(config: Config) -> dict[str, Any]:
    """The section of step 5, without what is as it was before there was a choice."""
    values = config.ensemble.model_dump(mode="json") | {"strategy": config.strategy}
    values["utility"] = {kind: dict(normalised_weights(config.ensemble.utility.of(kind))) for kind in KINDS}
    if all(list(config.ensemble.utility.of(kind)) == ["rouge-l"] for kind in KINDS):
        del values["utility"]
    encoder = config.ensemble.embedding_model
    values["embedding_model"] = None if encoder is None else short_folder_digest(encoder)
    if config.ensemble.reward_model is not None:
        values["reward_model"] = short_folder_digest(config.ensemble.reward_model)
    if not config.ensemble.fusion:
        del values["fusion"]
    if config.ensemble.results:
        del values["results"]
    return values | ({"weight": config.trust} if config.trust else {})


def _quality(config: Config) -> dict[str, Any]:
    """The quality filters that are on, or nothing, as it was before there were any."""
    values = {name: value for name, value in config.quality.model_dump(mode="json").items() if value not in (None, [])}
    values = {name: value for name, value in values.items() if value is not False}
    if config.quality.decontaminate:
        values["decontaminate"] = [short_file_digest(path) for path in config.quality.decontaminate]
    return {"quality": values} if values else {}


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """The settings that differ. A model that has another name, or is not used any more, is one change."""
    before, now = _models_in(old), _models_in(new)
    gone = [Change(f"models.{name}", _where_it_is(before[name], now, before)) for name in sorted(before.keys() - now)]
    came_or_went = before.keys() ^ now.keys()  # the role that names a new one says so already
    differing = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    others = [
        Change(key, _difference(key, old, new) + _remark(key, old, new))
        for key in differing
        if _owner(key, before.keys() | now.keys()) not in came_or_went
    ]
    return gone + others


def replaced_models(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The names under which another model is now than was before."""
    before, now = _models_in(old), _models_in(new)
    return [name for name in before if name in now and any(before[name].get(k) != now[name].get(k) for k in _WHICH)]


def _difference(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    if key.startswith("prompts."):  # a digest says nothing to anybody
        return "is another text now" if key in new else "is the bundled one now"
    return f"{json.dumps(old.get(key))} → {json.dumps(new.get(key))}"


def _models_in(flat: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of each model that are not null; a name may have dots in it."""
    ends = (".provider", ".endpoint")
    found = [{key[len("models.") : -len(end)] for key in flat if _is_of_model(key, end)} for end in ends]
    models: dict[str, dict[str, Any]] = {name: {} for name in found[0] & found[1]}
    for key, value in flat.items():
        if value is not None and (name := _owner(key, models)) is not None:
            models[name][key.removeprefix(f"models.{name}.")] = value
    return models


def _is_of_model(key: str, end: str) -> bool:
    return key.startswith("models.") and key.endswith(end)


def _owner(key: str, names: Iterable[str]) -> str | None:
    """The model that a key is of."""
    return max((name for name in names if key.startswith(f"models.{name}.")), key=len, default=None)


def _where_it_is(
    settings: dict[str, Any], now: Mapping[str, dict[str, Any]], before: Mapping[str, dict[str, Any]]
) -> str:
    """What became of a model with these settings."""
    same = next((name for name, others in now.items() if others == settings and name not in before), None)
    return "is not used any more" if same is None else f"is called {same} now"


def _remark(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What is to be said of a change besides."""
    section, _, setting = key.rpartition(".")
    if not section.startswith("models."):
        return ""
    if setting == "form" and old.get(f"{section}.endpoint") == new.get(f"{section}.endpoint") == "chat":
        return " (chat models are asked in another way now)"
    if setting == "base_url" and isinstance(old.get(key), str):
        return f" (if it is the same server at a new address, set {section}.known_as={old[key]}: no answer is lost)"
    return ""


def _kinds(config: Config) -> list[Kind]:
    return [kind for kind in KINDS if config.instructions.target.of(kind)]


def _flat(values: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, dict) and (value or ".extra_body." not in prefix):
            flat += _flat(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", value))
    return flat
