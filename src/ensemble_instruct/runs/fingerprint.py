"""What differs between the config a run was started with and the one it is resumed with, and what that costs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ensemble_instruct.agreement.utilities import normalised_weights
from ensemble_instruct.config.schema import Config
from ensemble_instruct.files.digest import model_digest, short_file_digest, short_folder_digest, short_rows_digest
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
_HELPERS = {
    "ensemble.fusion": "the model for fusion", "roles.fusion": "the model for fusion", "roles.judges": "the judges",
    "roles.judge": "the judge",
    "quality.toxicity": "the model about toxicity",
}  # fmt: skip
"""Who is asked anew when a setting that begins so is changed."""
SELECTING = ("ensemble.", "quality.")
"""What the keys of step 5 begin with."""


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that differs, and its consequence in words."""

    key: str
    old: Any
    new: Any
    effect: str

    def __str__(self) -> str:
        return f"{self.key}: {json.dumps(self.old)} → {json.dumps(self.new)} ({self.effect})"


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
    values["seed_tasks"] = seed_tasks_digest(load_seed_tasks(config.seed_tasks))
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
    if section.folder is not None:
        values["path"] = model_digest(section.folder)
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
    names = {f"{config.models[model].endpoint}/{name}.j2" for name, models in used.items() for model in models if model}
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


def changes(old: dict[str, Any], new: dict[str, Any], answered: dict[str, int]) -> list[Change]:
    """The settings that differ; `answered` counts the answers that the run has, by model."""
    keys = sorted(old.keys() | new.keys())
    return [
        Change(key, old.get(key), new.get(key), _effect(key, answered, new) + _way_out(key, old))
        for key in keys
        if old.get(key) != new.get(key) and not _only_added(key, old)
    ]


def _only_added(key: str, old: dict[str, Any]) -> bool:
    """Whether a model is new: the role that names it says so already."""
    parts = key.split(".")
    return parts[0] == "models" and not any(known.startswith(f"models.{parts[1]}.") for known in old)


def _effect(key: str, answered: dict[str, int], new: dict[str, Any]) -> str:
    section, _, rest = key.partition(".")
    total = sum(answered.values())
    if section == "models":
        return _effect_of_model(rest, answered, new)
    helper = next((who for beginning, who in _HELPERS.items() if key.startswith(beginning)), None)
    if helper is not None:
        return f"asks {helper}, if there is to be one; step 5 selects anew"
    if section == "prompts":
        return _effect_of_prompt(Path(rest).stem, total)
    if key.startswith(SELECTING):
        return "asks nothing again; step 5 selects anew"
    if key.startswith("instructions.target"):
        return "asks for what is missing, and at most a window of step 1 again"
    if key.startswith(("instructions.filters", "instructions.patience", "instructions.window")):
        return f"step 1 goes another way: up to {total} answers are asked again"
    if key.startswith("outputs.samples"):
        return "asks for the samples that are missing"
    if key == "roles.outputs" or section == "outputs":
        return "asks the voters that have not answered so"
    if section == "instances" or key == "roles.instances":
        return "asks steps 2 and 4 again"
    return f"asks every step again: {total} answers"


def _way_out(key: str, old: dict[str, Any]) -> str:
    """What keeps the answers of a server that is the same one at another address."""
    section, _, setting = key.rpartition(".")
    if setting != "base_url" or not section.startswith("models.") or not isinstance(old.get(key), str):
        return ""
    return f", unless it is the same server at a new address: then set {section}.known_as={old[key]}"


def _effect_of_prompt(name: str, total: int) -> str:
    if name == "instructions":
        return f"asks every step again: {total} answers"
    if name in ("instances", "labels"):
        return "asks steps 2 and 4 again"
    return "asks the voters again" if name == "outputs" else "asks those again who were asked with it"


def _effect_of_model(name_and_setting: str, answered: dict[str, int], new: dict[str, Any]) -> str:
    """Who is asked again when a model answers otherwise: itself, and all whose prompts hold what it wrote."""
    names = (name for name in answered if name_and_setting.startswith(f"{name}."))  # a name may have dots in it
    name = max(names, key=len, default=name_and_setting.rpartition(".")[0])
    why = "chat models are asked in another way now; " if name_and_setting == f"{name}.form" else ""
    if name == new["roles.instructions"]:
        return f"{why}asks every step again: {sum(answered.values())} answers"
    if name == new["roles.instances"]:
        count = sum(answered.values()) - answered.get(new["roles.instructions"], 0)
        return f"{why}asks steps 2 and 4 again: {count} answers"
    return f"{why}asks model {name} again: {answered.get(name, 0)} answers"


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
