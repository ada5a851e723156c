"""A config in which something cannot be: the error names the file, the line and the key, and the nearest that can."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.config.load import load_config, parse_config
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ConfigError
from tests.support.good_input import SERVED_CONFIG


def refused(folder: Path, text: str | bytes | None) -> str:
    """The one line that is said of a config of this text, or of one that is not there."""
    path = folder / "bad.yaml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as refusal:
        load_config(path)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("window: 8", "windw: 8", ":4: instructions.windw: unknown key; did you mean 'window'?"),
        ("seed: 42", "sed: 42", ":1: sed: unknown key; did you mean 'seed'?"),
        ("    model: m\n", "    modle: m\n", ":8: models.base.modle: unknown key; did you mean 'model'?"),
        ("output_only: 5}", "outputonly: 5}", ":3: instructions.target.outputonly: unknown key; did you mean 'output_"),
        ("strategy: con", "stratgy: con", ":17: ensemble.stratgy: unknown key; did you mean 'strategy'?"),
        ("  strategy: con", "  3: con", ":17: ensemble.3: unknown key"),
        ("  window: 8\n", "  window: 8\n  window: 9\n", ":5: instructions.window: stands already in line 4"),
        ("  c: {", "  a: {", ":11: models.a: stands already in line 9"),
        ("outputs: [a, b]", "outputs: [a, b", ":16: not YAML"),
        ("  window: 8", "\twindow: 8", ":4: not YAML"),
        ("seed: 42", "seed: \x07", "not YAML"),
        ("seed: 42", "seed: !!python/object:os.system 1", ":1: not YAML"),
        ("seed: 42", "seed: many", ":1: seed: input should be a valid integer"),
        ("seed: 42", "seed: 4.5", ":1: seed: input should be a valid integer"),
        ("seed: 42", "profile: origin", ":1: profile: input should be 'default' or 'published'"),
        ("window: 8", "filters: {min_word: 2}",
         ":4: instructions.filters.min_word: unknown key; did you mean 'min_words'?"),
        ("window: 8", "filters: {min_words: 0}",
         ":4: instructions.filters.min_words: input should be greater than or eq"),
        ("window: 8", "filters: {min_words: 9, max_words: 8}",
         ":4: instructions.filters: min_words 9 is above max_words 8"),
        ("window: 8", "filters: {text_only: maybe}",
         ":4: instructions.filters.text_only: input should be a valid boolean"),
        ("window: 8", "filters: [draw]", ":4: instructions.filters: "),
        ("window: 8", "filters: {blocked_words: draw}",
         ":4: instructions.filters.blocked_words: input should be a valid l"),
        ("window: 8", "filters: {blocked_words: [a, ' ']}",
         ":4: instructions.filters.blocked_words.1: is blank; write a w"),
        ("window: 8", "filters: {blocked_patterns: ['a', '(b']}",
         ":4: instructions.filters.blocked_patterns.1: '(b' is no regular expression: missing ), unterminated "
         "subpattern at position 0"),
        ("window: 8", "filters: {blocked_patterns: ['x{99999999999}']}", "'x{99999999999}' is no regular expression"),
        ("window: 8", "filters: {blocked_patterns: ['']}",
         ":4: instructions.filters.blocked_patterns.0: is blank, which "),
        ("window: 8\n", "window: 8\n  filters: {min_words: 3}\nprofile: published\n",
         ":5: instructions.filters: the profile 'published' has no filters; take the default profile, or"),
        ("window: 8", "window: 0", ":4: instructions.window: input should be greater than or equal to 1"),
        ("window: 8", "window: '8'", ":4: instructions.window: input should be a valid integer"),
        ("window: 8", "novelty_threshold: .nan", ":4: instructions.novelty_threshold: "),
        ("{input_output: 5, output_only: 5}", "12", ":3: instructions.target: "),
        ("{input_output: 5, output_only: 5}", "{input_output: -1}", ":3: instructions.target.input_output: "),
        ("    model: m\n", "", "models.base: 'model' is missing"),
        ("    model: m\n", "    model: 7\n", ":8: models.base.model: input should be a valid string"),
        ("    model: m\n", "    model: m\n    provider: openi\n", ":9: models.base.provider: input should be 'openai'"),
        ("    model: m\n", "    model: m\n    endpoint: chats\n", ":9: models.base.endpoint: "),
        ("    model: m\n", "    model: m\n    function: x:y\n", "'function' and 'replies' belong to"),
        ("    model: m\n", "    provider: scripted\n", "needs either 'function' or 'replies'"),
        ("base_url: http://127.0.0.1:9/v1\n", "base_url: 127.0.0.1:9/v1\n", ":7: models.base.base_url: "),
        ("base_url: http://127.0.0.1:9/v1\n", "base_url: 'http://'\n", ":7: models.base.base_url: "),
        ("base_url: http://127.0.0.1:9/v1\n", "base_url: http://:8000/v1\n", ":7: models.base.base_url: "),
        ("base_url: http://127.0.0.1:9/v1\n", "base_url: http://h:99999/v1\n", ":7: models.base.base_url: "),
        ("base_url: http://127.0.0.1:9/v1\n", "base_url: []\n", ":7: models.base.base_url: "),
        ("  instructions: base", "  instructions: bas", ":13: roles.instructions: no model is called 'bas'; did"),
        ("  instances: base", "  instances: d", ":14: roles.instances: no model is called 'd'"),
        ("outputs: [a, b]", "outputs: [a, bb]", ":15: roles.outputs: no model is called 'bb'; did you mean 'b'?"),
        ("  a: {base_url", "  strong: {base_ulr", ":9: models.strong.base_ulr: unknown key; did you mean 'base_url'?"),
        ("outputs: [a, b]", "outputs: [a, b, a]", ":15: roles.outputs: voter 'a' is named twice"),
        ("outputs: [a, b]", "outputs: []", ":15: roles.outputs: "),
        ("outputs: [a, b]", "outputs: a", ":15: roles.outputs: input should be a valid list"),
        ("  instances: base\n", "", ":12: roles.instances: is missing; name a model"),
        ("strategy: consensus", "strategy: best", ":17: ensemble.strategy: input should be 'vouched', "),
        ("strategy: consensus", "{keep: 0.5, min_agreement: 0.5}", ":16: ensemble: give either 'min_a"),
        ("strategy: consensus", "keep: 60", ":17: ensemble.keep: input should be less than or equal to 1"),
        (SERVED_CONFIG, "", "expected keys and values"),
        (SERVED_CONFIG, "- a\n- b\n", "expected keys and values"),
        (SERVED_CONFIG, "just a sentence", "expected keys and values"),
        (SERVED_CONFIG, "models: {}\n", "models: "),
        (SERVED_CONFIG, "models: [a]\nroles: [b]\n", ":1: models: input should be a valid dictionary"),
        (SERVED_CONFIG, "models: {a: null}\nroles: {instructions: a, instances: a, outputs: [a]}", ":1: models.a: "),
    ],
)  # fmt: skip
def test_a_mistake_in_the_config_is_named_with_line_and_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert SERVED_CONFIG.count(old) >= 1
    message = refused(tmp_path, SERVED_CONFIG.replace(old, new, 1))
    assert message.startswith(f"{tmp_path / 'bad.yaml'}:")
    assert problem in message


@pytest.mark.parametrize("strategy", ["published", "released", "algorithm1"])
def test_a_strategy_of_three_refuses_three_voters(tmp_path: Path, strategy: str) -> None:
    message = refused(tmp_path, SERVED_CONFIG.replace("[a, b]", "[a, b, c]").replace("consensus", strategy))
    assert f"bad.yaml:15: roles.outputs: strategy '{strategy}' needs exactly two voters" in message


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("seed: 42 # \xfc".encode("latin-1"), "bad.yaml: not UTF-8"),
        (b"seed: 1\x00", "bad.yaml: not YAML"),
        (None, "bad.yaml: cannot be read: No such file"),
    ],
    ids=["latin-1", "zero byte", "missing"],
)
def test_a_config_that_is_no_text_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    assert problem in refused(tmp_path, content)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
_PLACES = [
    (), ("seed",), ("profile",), ("seed_tasks",), ("instructions",), ("instructions", "target"), ("models",),
    ("models", "base"), ("models", "base", "base_url"), ("models", "base", "price"), ("models", "base", "timeout"),
    ("instances",), ("instances", "demonstrations"), ("outputs",), ("roles",), ("roles", "outputs"), ("ensemble",),
    ("ensemble", "strategy"), ("other",), ("models", 3),
]  # fmt: skip


def _read(text: str, overrides: list[str]) -> Config | ConfigError:
    try:
        return parse_config(text, "bad.yaml", Path.cwd(), overrides)
    except ConfigError as error:
        return error


@pytest.mark.slow
@given(place=st.sampled_from(_PLACES), value=_VALUES, override=st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_value_anywhere_is_accepted_or_refused_with_its_place(
    place: tuple[str, ...], value: object, override: bool
) -> None:
    config = yaml.safe_load(SERVED_CONFIG)
    holder = config
    for key in place[:-1]:
        holder = holder.setdefault(key, {})
    if place:
        holder[place[-1]] = value
    outcome = _read(yaml.safe_dump(config if place else value), [])
    if place and override:
        outcome = _read(SERVED_CONFIG, [f"{'.'.join(map(str, place))}={yaml.safe_dump(value)}"])
    if isinstance(outcome, Config):
        assert set(outcome.used_models) <= set(outcome.models)
    else:
        assert str(outcome).startswith(("bad.yaml:", "--set "))
