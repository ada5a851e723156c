"""Two names of a config for what is asked the same, and for what is not."""

from __future__ import annotations

from typing import Any

import pytest

from ensemble_instruct.config.load import load_config
from ensemble_instruct.config.schema import Config

MODEL = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "endpoint": "chat"}


def config(other: dict[str, Any], **more: Any) -> Config:
    models = {"w": {**MODEL, "model": "w"}, "a": MODEL, "b": {**MODEL, **other}}
    roles = {"instructions": "w", "instances": "w", "outputs": ["a", "b"], **more.pop("roles", {})}
    return load_config(overrides={"models": models, "roles": roles, **more})


@pytest.mark.parametrize("other", [
    {}, {"base_url": "http://127.0.0.1:9/v1/"}, {"base_url": ["http://127.0.0.1:9/v1", "http://127.0.0.2:9/v1"]},
    {"base_url": "http://new/v1", "known_as": "http://127.0.0.1:9/v1"}, {"headers": {"x-a": "b"}}, {"weight": 2.0},
    {"sampling": {}}, {"sampling": {"temperature": 0}}, {"sampling": {"top_p": 1}}, {"ca_file": "ca.pem"},
    {"api_key_env": "KEY"}, {"system": ""}, {"extra_body": {}}, {"price": {"input": 1, "output": 1}},
])  # fmt: skip
def test_a_model_that_is_asked_the_same_under_two_names_is_a_twin(other: dict[str, Any]) -> None:
    assert config(other).twins == {"b": "a"}


@pytest.mark.parametrize("other", [
    {"system": "Be brief."}, {"sampling": {"temperature": 0.5}}, {"sampling": {"max_tokens": 5}}, {"revision": "x"},
    {"sampling": {"reasoning_effort": "low"}}, {"extra_body": {"think": False}}, {"query": {"a": "b"}}, {"model": "n"},
    {"base_url": "http://127.0.0.1:8/v1"}, {"endpoint": "completions"},
])  # fmt: skip
def test_a_model_that_is_asked_otherwise_is_none(other: dict[str, Any]) -> None:
    assert config(other).twins == {}


def test_a_setting_of_the_step_counts_with_that_of_the_model() -> None:
    step = {"sampling": {"temperature": 0.5}}
    assert config({"sampling": {"temperature": 0.5}}, outputs=step).twins == {"b": "a"}
    assert config({"sampling": {"temperature": 0}}, outputs=step).twins == {}


def test_samples_of_one_model_are_no_twins_but_those_of_two_names_are() -> None:
    assert config({"system": "Be brief."}, outputs={"samples": 2}).twins == {}
    assert config({}, outputs={"samples": 2}).twins == {"b#1": "a#1", "b#2": "a#2"}


def test_a_judge_under_two_names_is_told_too() -> None:
    assert config({}, ensemble={"strategy": "judged"}).twin_judges == {"b": "a"}
    assert config({"system": "Be strict."}, ensemble={"strategy": "judged"}).twin_judges == {}
    assert config({}).twin_judges == {}
