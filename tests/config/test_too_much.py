"""A text of YAML that is made to be too much is refused in one line, before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ensemble_instruct.config.load import load_config, parse_config
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.prompts.folder import load_prompts

GOOD = """\
models:
  a: {base_url: "http://127.0.0.1:9/v1", model: m, license: MIT}
roles: {instructions: a, instances: a, outputs: [a]}
"""


def doubled(first: str, more: Callable[[str], str]) -> str:
    """Lines of which each names the one before nine times."""
    lines = [f"a0: &a0 {first}\n"]
    lines += [f"a{n}: &a{n} {more(f'*a{n - 1}')}\n" for n in range(1, 40)]
    return "".join(lines)


def model(settings: str) -> str:
    return f"models: {{a: {{base_url: 'http://127.0.0.1:9/v1', model: m, {settings}}}}}\n"


SIZES = {
    "aliases of lists": (doubled("[x, x]", lambda alias: f"[{', '.join([alias] * 9)}]"), "more than 20,000 keys and"),
    "aliases of mappings": (
        doubled("{k: 1, l: 2}", lambda alias: f"{{{', '.join(f'k{n}: {alias}' for n in range(9))}}}"),
        "more than 20,000 keys and",
    ),
    "merged mappings": (
        doubled("{k: 1, l: 2}", lambda alias: f"{{<<: [{', '.join([alias] * 9)}], l: 3}}"), "more than 20,000 keys and",
    ),
    "a long row of aliases": (
        "k:\n - &a0 {x: 1}\n" + "".join(f" - &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 3000)), "more than 20,000",
    ),
    "a mapping in itself": ("a: &a {b: *a}\n", ":1: goes on for ever; write it out without aliases"),
    "a mapping merged into itself": ("a: &a\n  <<: *a\n", ":2: goes on for ever"),
    "a list in itself": ("a: &a [[*a]]\n", ":1: goes on for ever"),
    "keys that nobody knows": ("".join(f"k{n}: 1\n" for n in range(50_000)), "more than 20,000 keys and values"),
    "a text of megabytes": ("x: 1\n" * 500_000, "longer than 1,000,000 characters"),
    "brackets": ("seed: " + "[" * 100_000, "more than 60 values within each other"),
    "braces": ("{a: " * 100_000, "more than 60 values within each other"),
    "dashes": ("- " * 100_000, "more than 60 values within each other"),
    "indentation": ("".join(" " * n + "a:\n" for n in range(500)), ":60: more than 60 values within each other"),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_a_text_that_is_too_much_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    text, problem = SIZES[name]
    with pytest.raises(ConfigError) as refusal:
        parse_config(text, "my.yaml", tmp_path)
    assert problem in str(refusal.value)
    assert str(refusal.value).startswith("my.yaml:")
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("name", SIZES)
def test_the_words_of_a_folder_of_prompts_are_bounded_as_a_config_is(tmp_path: Path, name: str) -> None:
    text, problem = SIZES[name]
    (tmp_path / "labels.yaml").write_text(text)
    with pytest.raises(ConfigError) as refusal:
        load_prompts(tmp_path)
    assert problem in str(refusal.value)
    assert "labels.yaml:" in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        f'? "{"x" * 200_000}"\n: 1\n',
        f"seed: '{'x' * 200_000}'\n",
        f"seed: 1{':59' * 100_000}\n",
        f"seed: 1{':59' * 100_000}.5\n",
        f"seed: 1e{'9' * 200_000}\n",
        f"seed: 0{'7' * 200_000}\n",
        f"seed: 0{'8' * 4_000}\n",
        f"seed: {'1' * 200_000}\n",
        f"{'1' * 4_000}.5: 1\n",
        model(f"headers: {{x: '{'${A}' * 100_000}'}}"),
        model(f"headers: {{x: '{' ' * 200_000}'}}"),
        model(f"headers: {{Authorization: '{'Bearer ' * 30_000}'}}"),
        model(f"extra_body: {{x: '{'sk-' * 60_000}'}}"),
        f"models: {{a: {{base_url: 'http://{'a/' * 100_000}', model: m}}}}\n",
        f"models: {{a: {{base_url: '{'h' * 200_000}', model: m}}}}\n",
    ],
    ids=range(15),
)
def test_a_long_key_or_value_is_read_at_once_and_not_shown_whole(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_config(text, "my.yaml", tmp_path)
    assert len(str(refusal.value)) < 500
    assert "\n" not in str(refusal.value)


def test_many_models_with_a_key_that_nobody_knows_are_one_line(tmp_path: Path) -> None:
    text = "models:\n" + "".join(f"  m{n}: {{bse_url: x}}\n" for n in range(200))
    with pytest.raises(ConfigError, match=r"^my.yaml:2: models.m0.bse_url: unknown key; did you mean 'base_url'\?"):
        parse_config(text, "my.yaml", tmp_path)


def test_a_config_without_an_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    endless = tmp_path / "my.yaml"
    endless.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="longer than 1,000,000 characters"):
        load_config(endless)


def test_a_config_with_aliases_and_many_models_is_read(tmp_path: Path) -> None:
    text = "seed: 1\n" + GOOD.replace("  a: {", "  a: &a {")
    text = text.replace("roles", "".join(f"  m{n}: *a\n" for n in range(500)) + "roles")
    assert len(parse_config(text, "my.yaml", tmp_path).models) == 501
