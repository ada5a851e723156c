"""What several configs come to in a merged run: its models, their names, and the licences of all that it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.config.steps import InstancesSection
from ensemble_instruct.errors import ConfigError, UsageError
from ensemble_instruct.licences.policy import derive, parts_of
from ensemble_instruct.runs.fingerprint import fingerprint
from ensemble_instruct.runs.merging.config import Merged, Source, merged_config

ALL_FREE = {"base": "Apache-2.0", "one": "Apache-2.0", "two": "MIT"}


def config_of(
    models: Mapping[str, str | None] = ALL_FREE,
    seeds: str | None = None,
    demonstrations: str | None = None,
    policy: str = "permissive",
    **changed: Any,
) -> Config:
    """A config whose models have these licences, the first writing the tasks; a model is known by its name.

    What stands behind `@` is what it is called in the config alone. With licences for them, the seed tasks and the
    demonstrations are the user's own.
    """
    names = {name: name.partition("@")[2] or name for name in models}
    sections = {
        called: {"model": f"org/{name.partition('@')[0]}", "license": models[name]} for name, called in names.items()
    }
    first, *others = names.values()
    values: dict[str, Any] = {
        "models": sections,
        "roles": {"instructions": first, "instances": first, "outputs": others},
        "licenses": {"policy": policy, "seed_tasks": seeds, "demonstrations": demonstrations},
        **changed,
    }
    if seeds is not None:
        values["seed_tasks"] = "seeds.jsonl"
    if demonstrations is not None:
        files = {"input_output": "io.jsonl", "output_only": "oo.jsonl"}
        values["instances"] = {"demonstrations": files}
    return parse_config(yaml.safe_dump(values), "config", Path.cwd())


def merged(configs: Sequence[Config], labels: str = "abcdef") -> Merged:
    sources = []
    for label, config in zip(labels, configs, strict=False):
        made = fingerprint(config.model_copy(update={"seed_tasks": None, "instances": InstancesSection()}))
        sources.append(Source(label, Path(label), config, made))
    return merged_config(sources, Path("all"))


def licence_of(configs: Sequence[Config]) -> str:
    licence = derive(parts_of(merged(configs).config))
    return licence.name or licence.hub


@pytest.mark.parametrize(
    ("runs", "licence"),
    [
        ([{}, {}], "apache-2.0"),
        ([{}, {"seeds": "CC-BY-SA-4.0"}], "apache-2.0-and-cc-by-sa-4.0-and-mit"),
        ([{}, {"demonstrations": "CC-BY-4.0"}], "apache-2.0-and-cc-by-4.0-and-mit"),
        ([{"seeds": "CC0-1.0"}, {"seeds": "CC-BY-SA-4.0"}], "apache-2.0-and-cc-by-sa-4.0-and-cc0-1.0-and-mit"),
        ([{"models": {"base": "MIT", "one": "MIT"}, "seeds": "MIT", "demonstrations": "MIT"}] * 2, "mit"),
        ([{"models": {"base": "MIT", "one": "MIT"}, "seeds": "MIT", "demonstrations": "MIT"}, {}], "apache-2.0"),
        # another licence for the same model, for another model of that name, and for one without a role any more
        ([{}, {"models": {**ALL_FREE, "one": "llama3.1"}}], "apache-2.0-and-llama3.1-and-mit"),
        ([{}, {"models": {"base": "MIT", "other@one": "llama3.1"}}], "apache-2.0-and-llama3.1-and-mit"),
        ([{}, {"models": {"writer": "llama3.1", "one": "Apache-2.0"}}], "apache-2.0-and-llama3.1-and-mit"),
        ([{}, {"models": {**ALL_FREE, "one": None}, "policy": "any"}, {"policy": "any"}], None),
        ([{"policy": "any"}, {"models": {**ALL_FREE, "one": None}, "policy": "any"}], "unknown"),
        ([{"policy": "any"}, {"models": {**ALL_FREE, "one": "CC-BY-NC-4.0"}, "policy": "any"}],
         "apache-2.0-and-cc-by-nc-4.0-and-mit"),
        ([{}, {"models": {**ALL_FREE, "one": "CC-BY-NC-4.0"}, "policy": "any"}], None),
        ([{"models": {**ALL_FREE, "one": "CC-BY-NC-4.0"}, "policy": "any"}, {}], None),
    ],
    ids=str,
)  # fmt: skip
def test_a_merged_run_is_under_the_licences_of_all(runs: list[dict[str, Any]], licence: str | None) -> None:
    configs = [config_of(**run) for run in runs]
    if licence is None:
        with pytest.raises(
            ConfigError, match=r"^[abc]/config.yaml: models.one.license: .*; it is the policy of [abc]$"
        ):
            merged(configs)
        return
    assert licence_of(configs) == licence
    assert licence_of(configs[::-1]) == licence
    # and so is what is merged out of it, written and read in between
    whole = merged(configs).config
    again = parse_config(yaml.safe_dump(whole.model_dump(mode="json")), "whole", Path.cwd())
    assert again == whole
    more = config_of(policy=whole.licenses.policy)
    assert licence_of([again, more]) == licence_of([more, again]) == licence_of([*configs, more])


def test_what_another_run_is_made_of_is_named_with_the_run() -> None:
    configs = [config_of(), config_of({**ALL_FREE, "one": "CC-BY-4.0"}, seeds="CC-BY-SA-4.0"), config_of(seeds="MIT")]
    titles = [part.title for part in parts_of(merged(configs).config)]
    assert titles[-3:] == ["model one of run b", "seed tasks of run b", "seed tasks of run c"]
    nested = merged([config_of(), merged(configs).config]).config
    assert [part.title for part in parts_of(nested)][-3:] == [
        "model one of run b/b", "seed tasks of run b/b", "seed tasks of run b/c"
    ]  # fmt: skip


def test_a_model_has_one_name_whatever_the_runs_call_it() -> None:
    first = config_of()
    renamed = config_of({"base@writer": "Apache-2.0", "two@one": "MIT", "one@two": "Apache-2.0", "new@base": "MIT"})
    both = merged([first, renamed, renamed])
    assert both.names[1] == both.names[2] == {"writer": "base", "one": "two", "two": "one", "base": "base-2"}
    assert both.config.roles.outputs == ["one", "two", "base-2"]
    assert both.config.roles.merged == []
    assert both.config.models["base-2"].model == "org/new"
    # one that stands twice in a run stays two
    twice = config_of({"base": "MIT", "base@again": "MIT"})
    assert merged([config_of({"base": "MIT", "x": "MIT"}), twice]).names[1] == {"base": "base", "again": "again"}


@pytest.mark.parametrize(("settings", "is_same"), [
    ({"headers": {"x-team": "blue"}}, True), ({"api_key_env": "KEY"}, True), ({"sampling": {}}, True),
    ({"system": "Be brief.", "endpoint": "chat"}, False), ({"sampling": {"temperature": 0.5}}, False),
    ({"extra_body": {"think": False}}, False), ({"query": {"a": "b"}}, False),
])  # fmt: skip
def test_a_model_that_is_asked_otherwise_is_another_one(settings: dict[str, Any], is_same: bool) -> None:
    first = config_of()
    one = first.models["one"].model_copy(update={"endpoint": settings.get("endpoint", "completions")})
    other = ModelSection.model_validate({**one.model_dump(exclude_unset=True), **settings})
    both = merged([
        first.model_copy(update={"models": {**first.models, "one": section}}) for section in (one, other)
    ])  # fmt: skip
    assert both.names[1]["one"] == ("one" if is_same else "one-2")


def test_models_without_a_role_in_the_merged_run_keep_their_names_in_the_next() -> None:
    whole = merged([config_of(), config_of({"other@base": "MIT", "one": "Apache-2.0", "two": "MIT"})])
    assert whole.config.roles.merged == ["base-2"]
    third = config_of({"third@base-2": "MIT", "one": "Apache-2.0", "two": "MIT"})
    both = merged([third, whole.config])
    assert both.names[1]["base-2"] == "base-2-2"
    assert {name: both.config.models[name].model for name in both.config.roles.merged} == {
        "base": "org/base", "base-2-2": "org/other"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([{"models": {f"{run}{n}": "MIT" for n in range(10)}} for run in "xy"], "18 voters together, and 16 can vote"),
        ([{"models": {"base": "MIT", f"{run}1": "MIT", f"{run}2": "MIT"}, "ensemble": {"strategy": "released"}}
          for run in "xy"], r"^a: strategy 'released' takes exactly two voters.*4 together \(x1, x2, y1, y2\)"),
    ],
    ids=["many", "two"],
)  # fmt: skip
def test_more_voters_than_there_can_be_is_one_line(runs: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        merged([config_of(**run) for run in runs])


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([{}, {"models": {"base": "Apache-2.0", "one": "Apache-2.0", "three": "MIT"}}], "roles.judges is"),
        ([{"judges": ["one"]}, {"judges": ["two"]}], "roles.judges is"),
        ([{"judges": ["base"]}, {"models": {"writer": "MIT", **ALL_FREE}, "judges": ["base"]}], "roles.instances is"),
        ([{"judges": ["one"]}, {"models": {"writer": "MIT", **ALL_FREE}, "judges": ["one"]}], None),
        ([{}, {"models": {"base": "Apache-2.0", "one@other": "Apache-2.0", "two": "MIT"}}], None),
    ],
    ids=str,
)
def test_judged_runs_are_one_only_where_the_same_judges_rated_the_same(
    runs: list[dict[str, Any]], said: str | None
) -> None:
    configs = []
    for run in runs:
        judges = run.pop("judges", None)
        config = config_of(**run, ensemble={"strategy": "judged"})
        configs.append(config.model_copy(update={"roles": config.roles.model_copy(update={"judges": judges})}))
    if said is None:
        together = merged(configs)
        assert together.config.roles.judges == list(configs[0].judges)
        assert together.config.judges == configs[0].judges
        assert together.fingerprint["roles.judges"] == sorted(configs[0].judges)
        return
    with pytest.raises(UsageError, match=said) as caught:
        merged(configs)
    assert "\n" not in str(caught.value)
