"""What a config says is what its user meant: what YAML reads as another thing is told, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ensemble_instruct.config.load import load_config, parse_config
from ensemble_instruct.config.schema import Config
from ensemble_instruct.config.spelling import Dumper, comment_in, read_yaml
from ensemble_instruct.errors import ConfigError

TEXT = """\
models:
  base: {base_url: "http://127.0.0.1:9/v1", model: m, license: MIT}
  VOTER: {base_url: "http://127.0.0.1:9/v1", model: MODEL, license: MIT}
roles: {instructions: base, instances: base, outputs: [VOTER]}
"""


def config(more: str = "", *overrides: str, voter: str = "a", model: str = "m") -> Config:
    text = TEXT.replace("VOTER", voter).replace("MODEL", model) + more
    return parse_config(text, "my.yaml", Path("/tmp"), overrides)


def refused(more: str = "", *overrides: str, voter: str = "a", model: str = "m") -> str:
    with pytest.raises(ConfigError) as refusal:
        config(more, *overrides, voter=voter, model=model)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("name", "read_as"),
    [
        ("no", "false"), ("NO", "false"), ("off", "false"), ("on", "true"), ("Yes", "true"), ("true", "true"),
        ("~", "no value"), ("null", "no value"), ("1.5", "the number 1.5"), ("7", "the number 7"),
        ("1e3", "the number 1e3"), ("2024-01-01", "a date"), ("12:30", "a number"), ("010", "a number"),
    ],
)  # fmt: skip
def test_the_name_of_a_model_that_yaml_reads_as_another_thing_is_to_be_quoted(name: str, read_as: str) -> None:
    assert refused(voter=name) == f'my.yaml:3: models.{name}: the key is read as {read_as}; quote it: "{name}"'
    assert list(config(voter=f'"{name}"').models) == ["base", name]


@pytest.mark.parametrize("name", ["no", "1.5", "null", "1e3", "2024-01-01", "12:30"])
def test_a_role_that_yaml_reads_as_another_thing_is_to_be_quoted(name: str) -> None:
    text = TEXT.replace("[VOTER]", f"[{name}]").replace("VOTER", f'"{name}"').replace("MODEL", "m")
    with pytest.raises(ConfigError, match=rf'^my.yaml:4: roles\.outputs\.0: .* is read as .*quote it.*: "{name}"$'):
        parse_config(text, "my.yaml", Path("/tmp"))


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("no", 'no is read as false: quote it: "no"'),
        ("1.5", '1.5 is read as the number 1.5: quote it: "1.5"'),
        ("2024-01-01", '2024-01-01 is read as a date; quote it where it is a text: "2024-01-01"'),
        ("12:30", '12:30 is read as 750, a number of base 60; write one without colons, or quote it'),
        ("12e4567", '12e4567 is read as inf, no finite number; write another, or quote it where it is a text: "12e4'),
        ("0012345", '0012345 begins with a zero, as octal numbers do; write 12345, or 5349 for the octal number, or '),
        ("", "nothing is there: write a value, or leave the key out"),
        ("~", '~ is read as no value: quote it: "~"'),
        ("[a]", "a list is there"),
    ],
)  # fmt: skip
def test_a_text_that_yaml_reads_as_another_thing_is_to_be_quoted(model: str, problem: str) -> None:
    message = refused(model=model)
    assert message.startswith("my.yaml:3: models.a.model: ")
    assert problem in message


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("seed: 010", ":5: seed: 010 begins with a zero, as octal numbers do; write 10, or 8 for the octal number"),
        ("seed: -08", ":5: seed: -08 begins with a zero, as octal numbers do; write -8, or quote it"),
        ("seed: 007", ":5: seed: 007 begins with a zero, as octal numbers do; write 7, or quote it"),
        ("seed: 0o17", ":5: seed: input should be a valid integer; 0o17 is read as a text: write 15"),
        ("seed: .inf", ":5: seed: .inf is read as inf, no finite number"),
        ("seed: 1e-1", ":5: seed: input should be a valid integer: write a whole number"),
        ("seed: 64.0", ":5: seed: input should be a valid integer: write 64"),
        ("seed: yes", ":5: seed: input should be a valid integer; yes is read as true"),
        ("seed: '7'", ":5: seed: input should be a valid integer; 7 is read as a text: leave the quotes out"),
        ("outputs: {samples: 2.5}", ":5: outputs.samples: input should be a valid integer: write a whole number"),
        ("outputs: {sampling: {temperature: -.Inf}}", ":5: outputs.sampling.temperature: -.Inf is read as -inf"),
        ("outputs: {sampling: {temperature: 1e999}}", ":5: outputs.sampling.temperature: 1e999 is read as inf"),
        ("outputs: {sampling: {temperature: .nan}}", ":5: outputs.sampling.temperature: .nan is read as nan"),
        ("quality: {refusals: y}", ":5: quality.refusals: input should be a valid boolean; y is read as a text: write"),
        ("quality:\n  languages:\n  - en\n  - no", ":8: quality.languages.1: input should be a valid string; no is re"),
        ("ensemble: {strategy: off}", 'off is read as false: quote it: "off"'),
        ("seed_tasks: no", ":5: seed_tasks: input should be a path; no is read as false"),
        ("seed: 1\n? [a, b]\n: 2", ":6: a key must be a text"),
        ("outputs: {sampling: {temperature: '0,7'}}", "0,7 is read as a text: write 0.7, with a point"),
        ("seed: -1:30", ":5: seed: -1:30 is read as -90, a number of base 60"),
        ('"a\\nb": 1', r":5: a\nb: unknown key"),
        ("seed: 1\nseed: 2", ":6: seed: stands already in line 5"),
        ("ensemble: {keep: 0.5,\n  'keep': 0.6}", ":6: ensemble.keep: stands already in line 5"),
    ],
)  # fmt: skip
def test_what_is_hardly_meant_is_refused_with_its_line_and_what_to_write(more: str, problem: str) -> None:
    assert problem in refused(f"{more}\n")


def test_numbers_with_an_exponent_are_numbers() -> None:
    made = config(
        "seed: 1e3\noutputs: {samples: {a: 1E0}, sampling: {temperature: 1e-1, max_tokens: 5.12e2, top_p: 1.e-1}}\n"
        "instructions: {target: {input_output: +2e1}}\n"
    )
    assert (made.seed, made.outputs.samples) == (1000, {"a": 1})
    assert made.outputs.sampling.model_dump(exclude_none=True) == {"max_tokens": 512, "temperature": 0.1, "top_p": 0.1}
    assert isinstance(made.outputs.sampling.max_tokens, int)
    assert config("", "seed=2e4", "outputs.sampling.temperature=5e-1").seed == 20000


def test_words_for_true_and_false_are_read_where_one_of_the_two_is_wanted() -> None:
    assert config("quality: {refusals: yes, code_fences: Off}\n").quality.refusals is True


def test_where_anything_may_stand_the_words_for_true_and_false_are_refused() -> None:
    def options(written: str) -> object:
        local = f"  b: {{provider: transformers, path: m, options: {{inner: {written}}}}}\n"
        text = TEXT.replace("VOTER", "a").replace("MODEL", "m").replace("roles", f"{local}roles")
        return parse_config(text, "my.yaml", Path()).models["b"].options["inner"]

    kept = options("{'on': 1, 50256: -100, mode: 'off', is: true}")
    assert kept == {"on": 1, "50256": -100, "mode": "off", "is": True}
    with pytest.raises(ConfigError, match=r":4: models\.b\.options\.inner\.mode: off is read as false; write false"):
        options("{mode: off}")
    with pytest.raises(ConfigError, match=r":4: models\.b\.options\.inner\.on: the key is read as true; quote it"):
        options("{on: 1}")


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("models.a.model=org/name #4", "'#4' would be cut off: to YAML it is a comment; quote it: --set 'mod"),
        ("models.a.model=#name", "'#name' would be cut off"),
        ("models.a.model=@name", "the value is not YAML: found character '@' that cannot start any token; quote it"),
        ("models.a.model=a: b: c", "the value is not YAML: mapping values are not allowed here; quote it"),
        ("models.a.model=a: b", "models.a.model: input should be a valid string; keys and values are there"),
        ("models.a.model=2024-01-01", "models.a.model: 2024-01-01 is read as a date; quote it"),
        ("models.a.model=", "models.a.model: input should be a valid string; nothing is there"),
        ("models.a.model=...", "the value is not YAML"),
        ("roles.outputs=[no]", "roles.outputs.0: input should be a valid string; no is read as false: quote it"),
        ("seed=010", "seed: 010 begins with a zero"),
        ("seed=12:30", "seed: 12:30 is read as 750"),
        ("outputs.sampling.temperature=.inf", "outputs.sampling.temperature: .inf is read as inf"),
        ("seed=many", "seed: input should be a valid integer; many is read as a text"),
        ("instructions.target={input_output: 1, input_output: 2}", "instructions.target.input_output: stands already"),
    ],
)  # fmt: skip
def test_what_set_cannot_read_is_said_with_its_own_text(override: str, problem: str) -> None:
    message = refused("seed: 5\n", override)
    assert message.startswith(f"--set {override}: ")
    assert problem in message


@pytest.mark.parametrize("written", ["0123456789", "12e4567", "2024-01-01", "12:30", "99", "'a' b", "k # 99"])
def test_what_may_be_a_key_is_not_shown(written: str) -> None:
    for override in (f"models.a.headers.x-api-key={written}", f"models.a.api_key_env={written}"):
        message = refused("", override)
        assert message.startswith(f"--set {override.partition('=')[0]}=…: ")
        assert not any(part in message for part in ("0123", "12e4", "2024", "12:30", "99", "'a'"))


def test_a_quoted_number_sign_is_kept() -> None:
    assert config("", 'models.a.model="a #b"').models["a"].model == "a #b"
    assert config("", "models.a.model=a#b").models["a"].model == "a#b"


def test_a_value_of_python_that_cannot_be_is_not_said_to_be_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(TEXT.replace("VOTER", "a").replace("MODEL", "m") + "seed: 5\n")
    for overrides in ({"seed": "x"}, {"models": {"a": {"timeout": float("inf")}}}, {"roles.outputs": [3]}):
        with pytest.raises(ConfigError, match=r"^overrides: "):
            load_config(path, overrides=overrides)


def test_keys_that_are_merged_from_elsewhere_are_read() -> None:
    more = "outputs: &o\n  sampling: {max_tokens: 7}\ninstances:\n  <<: *o\n"
    assert config(more).instances.sampling.max_tokens == 7


_TRICKY = [
    "no",
    "1e3",
    "009",
    "010",
    "=",
    "~",
    "",
    "12:30",
    ".inf",
    "2024-01-01",
    "<<",
    "1_0",
    "0o7",
    "#",
    "a #b",
    "1e-1",
]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.sampled_from(_TRICKY))
@example("1e3")
@settings(max_examples=200, deadline=None)
def test_every_text_that_is_written_is_read_back_as_it_was(text: str) -> None:
    written = yaml.dump({"models": {text: [text]}}, Dumper=Dumper, allow_unicode=True)
    assert read_yaml(written, str)[0] == {"models": {text: [text]}}
    assert comment_in(written) is None
