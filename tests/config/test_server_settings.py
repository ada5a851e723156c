"""What a section says to a server beyond its address: accepted as it is written, refused with the key and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.models.asking import as_asked, request_key
from ensemble_instruct.records import Message, Request, Sampling

SECRET = "Zq81xVt5RbPw7LmN2sKd"


def config(**settings: Any) -> Config:
    section = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "endpoint": "chat", **settings}
    roles = {"instructions": "a", "instances": "a", "outputs": ["a"]}
    return parse_config(yaml.safe_dump({"models": {"a": section}, "roles": roles}), "test", Path("/project"))


def section(**settings: Any) -> ModelSection:
    return config(**settings).models["a"]


def refusal(**settings: Any) -> str:
    with pytest.raises(ConfigError) as error:
        config(**settings)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", [
    "api-key", "Api_Key", "X-API-Key", "x-goog-api-key", "Ocp-Apim-Subscription-Key", "Authorization", "X-Auth-Token",
    "clientSecret", "accesstoken", "Cookie", "password", "Proxy-Token", "helicone-auth",
])  # fmt: skip
@pytest.mark.parametrize("part", ["headers", "query"])
def test_a_literal_under_the_name_of_a_key_is_refused_and_not_shown(part: str, name: str) -> None:
    message = refusal(**{part: {name: "open sesame"}})
    assert f": models.a.{part}.{name}: holds a key itself" in message
    assert "${NAME}" in message
    assert "sesame" not in message


@pytest.mark.parametrize("value", [
    "sk-abcdef0123", "hf_abcdefghij", "gsk_abcdefgh12", SECRET, SECRET.lower(), "Bearer abc", "basic dXNlcjpwYXNz",
    "0123456789abcdef0123456789abcdef", "123e4567-e89b-12d3-a456-426614174000", f"user={SECRET}", f"${{A}}{SECRET}",
    "QwErTyUiOpAsDfGhJkLzXc", "eyJhbGciOi.eyJzdWIi",
])  # fmt: skip
@pytest.mark.parametrize("part", ["headers", "query"])
def test_what_looks_like_a_key_is_refused_under_any_name_and_not_shown(part: str, value: str) -> None:
    message = refusal(**{part: {"x-team": value}})
    assert "holds a key itself" in message
    assert value not in message
    assert SECRET.lower() not in message.lower()


@pytest.mark.parametrize(("name", "value"), [
    ("api-version", "2024-10-01-preview"), ("anthropic-version", "2023-06-01"), ("X-Title", "Ensemble-Instruct of Ann"),
    ("HTTP-Referer", "https://example.org/some/long-path/of-mine"), ("x-model", "DeepSeek-R1-Distill-Qwen-32B"),
    ("api-key", "${KEY}"), ("Authorization", "Bearer ${TOKEN}"), ("Authorization", "Bearer org/${TOKEN}:2"),
    ("Authorization", "Token token=${TOKEN}"), ("x-cost", "5$"), ("x-name", "$${NAME}"),
    ("anthropic-beta", "prompt-caching-2024-07-31,output-128k-2025-02-19"), ("x-empty", ""), ("x-user", "${A}:${B}"),
])  # fmt: skip
def test_other_values_are_kept_as_they_are_written(name: str, value: str) -> None:
    assert section(headers={name: value}).headers == {name: value}
    assert section(query={name: value}).query == {name: value}


@pytest.mark.parametrize("value", ["${}", "${1A}", "a ${NAME", "${A B}", "${${A}}", "${A-default}"])
def test_a_variable_that_is_none_is_refused(value: str) -> None:
    assert "a ${ that begins no variable" in refusal(headers={"x-a": value})


@pytest.mark.parametrize(("headers", "problem"), [
    ({"Host": "a"}, "models.a.headers.Host: is set by the connection itself"),
    ({"content-length": "5"}, "is set by the connection itself"),
    ({"Transfer-Encoding": "chunked"}, "is set by the connection itself"),
    ({"x a": "b"}, "is no name that a header can have"),
    ({"x:a": "b"}, "is no name that a header can have"),
    ({"": "b"}, "is no name that a header can have"),
    ({"x\r\nHost": "b"}, "is no name that a header can have"),
    ({"größe": "b"}, "is no name that a header can have"),
    ({"x-a": "b\r\nHost: evil"}, "has characters that no HTTP header can hold"),
    ({"x-a": "größe"}, "has characters that no HTTP header can hold"),
    ({"x-a": "b", "X-A": "c"}, ": stands there twice"),
    ({"x-a": 77712345}, "models.a.headers.x-a: was read as a number; write it in quotes"),
    ({"x-a": True}, "was read as true or false; write it in quotes"),
    ({"x-a": None}, "was read as nothing"),
    (["x-a"], "models.a.headers: input should be a valid dictionary"),
])  # fmt: skip
def test_a_header_that_cannot_be_sent_is_refused_with_its_name(headers: Any, problem: str) -> None:
    message = refusal(headers=headers)
    assert problem in message
    assert "777" not in message


def test_a_date_in_the_query_is_to_be_quoted() -> None:
    text = "roles: {instructions: a, instances: a, outputs: [a]}\nmodels:\n  a:\n    model: m\n    query:\n"
    with pytest.raises(ConfigError) as error:
        parse_config(f"{text}      api-version: 2024-06-01\n", "test", Path("/project"))
    assert str(error.value).startswith("test:6: models.a.query.api-version: the value is read as a date; quote it")


@pytest.mark.parametrize(("body", "problem"), [
    ({"model": "x"}, "models.a.extra_body.model: is set by the program; use models.NAME.model"),
    ({"messages": []}, "use models.NAME.system"),
    ({"prompt": "x"}, "is set by the program"),
    ({"stream": True}, "is set by the program"),
    ({"n": 3}, "use outputs.samples"),
    ({"max_completion_tokens": 3}, "use models.NAME.sampling.max_tokens"),
    ({"temperature": 1}, "use models.NAME.sampling.temperature"),
    ({"reasoning_effort": "low"}, "use models.NAME.sampling.reasoning_effort"),
    ({"response_format": {}}, "use models.NAME.structured"),
    ({"api_key": "whatever"}, "models.a.extra_body.api_key: holds a key itself"),
    ({"litellm": [{"token": "hf_abcdefghij"}]}, "models.a.extra_body.litellm.0.token: holds a key itself"),
    ({"a": {"b": float("nan")}}, "models.a.extra_body.a.b: .nan is read as nan, no finite number"),
    ({"a": [1, float("-inf")]}, "models.a.extra_body.a.1: -.inf is read as -inf, no finite number"),
])  # fmt: skip
def test_a_body_that_cannot_be_sent_is_refused_with_its_key(body: Any, problem: str) -> None:
    assert problem in refusal(extra_body=body)


@pytest.mark.parametrize(("body", "problem"), [
    ("{day: 2024-06-01}", 'extra_body.day: 2024-06-01 is read as a date; quote it where it is a text: "2024-06-01"'),
    ("{on: 1}", 'extra_body.on: the key is read as true; quote it: "on"'),
    ("{a: !!binary aGk=}", "was read as a bytes"),
    ("{a: " + "[" * 40 + "]" * 40 + "}", "more than 32 values inside each other"),
])  # fmt: skip
def test_a_body_that_is_no_json_is_refused(body: str, problem: str) -> None:
    with pytest.raises(ConfigError, match="extra_body") as error:
        parse_config(f"models: {{a: {{model: m, extra_body: {body}}}}}", "test", Path("/project"))
    assert problem in str(error.value)


def test_any_other_json_is_taken_for_the_body() -> None:
    body = {
        "chat_template_kwargs": {"enable_thinking": False}, "provider": {"order": ["a"], "max": None}, "num_ctx": 8192,
        "prompt_cache_key": "mine", "stop_token_ids": [1, 2], "logit_bias": {"5": -1.5}, "": "ü",
    }  # fmt: skip
    assert section(extra_body=body).extra_body == body


@pytest.mark.parametrize(("settings", "problem"), [
    ({"base_url": "http://h/v1?api-version=1&key=s3cr3t"}, "write it under the key query, as in query: {api-ver"),
    ({"base_url": "http://h/v1?"}, "must not hold a query"),
    ({"base_url": ["http://h/v1", "http://i/v1?a=b"]}, "query: {a: …}"),
    ({"base_url": f"http://h/v1?{SECRET}=1"}, "must not hold a query"),
    ({"known_as": "h:80"}, "models.a.known_as: an address must begin with http"),
    ({"endpoint": "completions", "system": "Be brief."}, "'system' needs endpoint: chat"),
    ({"api_key_env": "KEY", "headers": {"authorization": "Bearer ${A}"}}, "give either 'api_key_env' or the header"),
    ({"sampling": {"repetition_penalty": 0}}, "models.a.sampling.repetition_penalty: "),
    ({"sampling": {"temprature": 1}}, "unknown key; did you mean 'temperature'?"),
    ({"system": "\ud800"}, "models.a.system: holds half of a surrogate pair"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(settings: dict[str, Any], problem: str) -> None:
    message = refusal(**settings)
    assert problem in message
    assert "s3cr3t" not in message
    assert SECRET not in message


@pytest.mark.parametrize(("key", "value"), [
    ("system", "x"), ("sampling", {"temperature": 1}), ("extra_body", {"a": 1}), ("headers", {"a": "b"}),
    ("query", {"a": "b"}), ("ca_file", "ca.pem"), ("known_as", "http://h"),
])  # fmt: skip
def test_a_model_that_is_no_server_has_none_of_these_keys(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"'{key}' belongs to provider: openai"):
        parse_config(
            json.dumps({"models": {"a": {"provider": "scripted", "function": "a:b", key: value}}}), "t", Path()
        )


def test_a_certificate_is_looked_for_beside_the_config() -> None:
    assert section(ca_file="ca.pem").ca_file == Path("/project/ca.pem")


def test_samples_at_the_temperature_0_of_a_model_are_refused() -> None:
    roles = {"instructions": "a", "instances": "a", "outputs": ["a"]}
    model = {"model": "m", "sampling": {"temperature": 0}}
    text = json.dumps({"models": {"a": model}, "roles": roles, "outputs": {"samples": 3}})
    with pytest.raises(ConfigError, match=r"set models\.a\.sampling\.temperature above 0"):
        parse_config(text, "t", Path())


REQUEST = Request(prompt="p", sampling=Sampling(max_tokens=9, temperature=0.7), step="outputs", kind="output_only")


def key(**settings: Any) -> str:
    model = section(**settings)
    return request_key(model.identity, as_asked(model, REQUEST))


def test_the_key_has_all_that_can_change_an_answer_and_nothing_else() -> None:
    changing: list[dict[str, Any]] = [
        {}, {"system": "Be brief."}, {"sampling": {"temperature": 1}}, {"sampling": {"min_p": 0.1}},
        {"sampling": {"presence_penalty": 0.1}}, {"sampling": {"reasoning_effort": "low"}}, {"extra_body": {"a": 1}},
        {"extra_body": {"a": True}}, {"query": {"a": "1"}}, {"query": {"a": "${A}"}}, {"known_as": "http://h/v1"},
        {"revision": "x"},
    ]  # fmt: skip
    assert len({key(**settings) for settings in changing}) == len(changing)
    same: list[dict[str, Any]] = [
        {}, {"headers": {"a": "b"}}, {"ca_file": "ca.pem"}, {"sampling": {"temperature": 0.7}}, {"sampling": {}},
        {"base_url": "http://new/v1", "known_as": "http://127.0.0.1:9/v1/"}, {"extra_body": {}},
    ]  # fmt: skip
    # as it was before any of this could be said
    assert {key(**settings) for settings in same} == {"5f5657784869416222397ae1dd8a05bd"}
    assert key(extra_body={"a": 1, "b": 2}) == key(extra_body={"b": 2, "a": 1})


def test_a_request_gets_what_its_model_has_of_its_own() -> None:
    own = {"temperature": 1, "top_k": 5, "reasoning_effort": "low", "min_p": 0.1}
    asked = as_asked(section(system="Be brief.", sampling=own), REQUEST)
    assert asked.messages == (Message("system", "Be brief."), Message("user", "p"))
    assert asked.sampling == Sampling(max_tokens=9, temperature=1.0, top_k=5, reasoning_effort="low", min_p=0.1)
