"""Configs, options and places that cannot be: one line on stderr, exit 2, nothing written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.config.bundled import preset_names
from ensemble_instruct.config.load import parse_config
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ConfigError
from tests.files.test_bad_input import COMPLETION, CONFIG, TASK, write
from tests.support.forks import Forks, unwritable

RUN = ("run", "config.yaml", "--out", "run")
ENSEMBLE = ("ensemble", "--instances", "good.jsonl", "--outputs", "a.jsonl", "--outputs", "b.jsonl")

GOOD = """\
seed: 42
instructions:
  target: {input_output: 5, output_only: 5}
  window: 8
models:
  base:
    base_url: http://127.0.0.1:9/v1
    model: m
  a: {base_url: http://127.0.0.1:9/v1, model: m}
  b: {base_url: http://127.0.0.1:9/v1, model: m}
  c: {base_url: http://127.0.0.1:9/v1, model: m}
roles:
  instructions: base
  instances: base
  outputs: [a, b]
ensemble:
  strategy: consensus
licenses: {policy: any}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a working config and files; nothing in them is wrong."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    for name in ("good.jsonl", "a.jsonl", "b.jsonl"):
        write(tmp_path / name, TASK)
    write(tmp_path / "completions.jsonl", COMPLETION)
    return tmp_path


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
        ("  instances: base\n", "", ":12: roles.instances: field required"),
        ("strategy: consensus", "strategy: best", ":17: ensemble.strategy: input should be 'balanced', "),
        ("strategy: consensus", "{keep: 0.5, min_agreement: 0.5}", ":16: ensemble: give either 'min_a"),
        ("strategy: consensus", "keep: 60", ":17: ensemble.keep: input should be less than or equal to 1"),
        (GOOD, "", "expected keys and values"),
        (GOOD, "- a\n- b\n", "expected keys and values"),
        (GOOD, "just a sentence", "expected keys and values"),
        (GOOD, "models: {}\n", "models: "),
        (GOOD, "models: [a]\nroles: [b]\n", ":1: models: input should be a valid dictionary"),
        (GOOD, "models: {a: null}\nroles: {instructions: a, instances: a, outputs: [a]}", ":1: models.a: "),
    ],
)  # fmt: skip
def test_a_mistake_in_the_config_is_named_with_line_and_key(
    forks: Forks, folder: Path, old: str, new: str, problem: str
) -> None:
    assert GOOD.count(old) >= 1
    (folder / "bad.yaml").write_text(GOOD.replace(old, new, 1))
    said = forks.refused(folder, "run", "bad.yaml", "--out", "run")
    assert said.startswith("error: bad.yaml:")
    assert problem in said


@pytest.mark.parametrize("strategy", ["published", "released", "algorithm1"])
def test_a_strategy_of_three_refuses_three_voters(forks: Forks, folder: Path, strategy: str) -> None:
    bad = GOOD.replace("[a, b]", "[a, b, c]").replace("consensus", strategy)
    (folder / "bad.yaml").write_text(bad)
    said = forks.refused(folder, "run", "bad.yaml", "--out", "run")
    assert f"bad.yaml:15: roles.outputs: strategy '{strategy}' needs exactly two voters" in said


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("seed: 42 # \xfc".encode("latin-1"), "bad.yaml: not UTF-8"),
        (b"seed: 1\x00", "bad.yaml: not YAML"),
        (None, "bad.yaml: cannot be read: No such file"),
    ],
    ids=["latin-1", "zero byte", "missing"],
)
def test_a_config_that_is_no_text_is_refused(forks: Forks, folder: Path, content: bytes | None, problem: str) -> None:
    if content is not None:
        (folder / "bad.yaml").write_bytes(content)
    assert problem in forks.refused(folder, "run", "bad.yaml", "--out", "run")


@pytest.mark.parametrize(
    "arguments",
    [
        "check bad.yaml",
        "run bad.yaml --out run --dry-run",
        "instructions bad.yaml --kind input_output --to out.jsonl",
        "instances bad.yaml --kind input_output --instructions good.jsonl --to out.jsonl",
        "outputs bad.yaml --model a --instances good.jsonl --to out.jsonl",
    ],
)
def test_every_command_refuses_a_bad_config(forks: Forks, folder: Path, arguments: str) -> None:
    (folder / "bad.yaml").write_text(GOOD.replace("window", "windw"))
    assert "bad.yaml:4: instructions.windw: unknown key" in forks.refused(folder, *arguments.split())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((*RUN, "--set", "seed"), "--set seed: write it as key=value"),
        ((*RUN, "--set", "=5"), "--set =5: write it as key=value"),
        ((*RUN, "--set", "instructions.windw=5"), "instructions.windw: unknown key; did you mean 'window'?"),
        ((*RUN, "--set", "models.base.pric.input=5"), "models.base.pric: unknown key; did you mean 'price'?"),
        ((*RUN, "--set", "models.d.base_url=http://127.0.0.1:9/v1"), "models.d: 'model' is missing"),
        ((*RUN, "--set", "seed=many"), "seed: input should be a valid integer"),
        ((*RUN, "--set", "instructions.window={"), "--set instructions.window={: the value is not YAML"),
        ((*RUN, "--set", "models.base.provider.name=x"), "'provider' has no keys below it"),
        ((*RUN, "--set", "roles.outputs=[a, x]"), "roles.outputs: no model is called 'x'"),
        ((*RUN, "--preset", "demo"), "give either CONFIG or --preset"),
        (("run", "--out", "run"), "give a CONFIG or --preset NAME"),
        (("run", "--preset", "dmo", "--out", "run"), "--preset dmo: no such preset; there are demo, "),
        (("init", "--preset", "dmo", "new.yaml"), "--preset dmo: no such preset; there are demo, "),
        (("run", "config.yaml"), "--out"),
        (("rn", "config.yaml"), "rn"),
        (("parse", "--instances", "completions.jsonl"), "--to"),
        (("parse", "--instances", "completions.jsonl", "--to", "x", "--profile", "paper"), "'paper' is not one of"),
        (("parse", "--instances", "completions.jsonl", "--to", "x", "--novelty-threshold", "7"), "--novelty-threshold"),
        (("instructions", "config.yaml", "--kind", "both", "--to", "x"), "'both' is not one of"),
        (("outputs", "config.yaml", "--model", "d", "--instances", "good.jsonl", "--to", "x"), "--model d: no such"),
        ((*ENSEMBLE, "--to", "x", "--strategy", "best"), "'best' is not one of"),
        ((*ENSEMBLE, "--to", "x", "--keep", "0.5", "--min-agreement", "0.5"), "give either --min-agreement or --keep"),
        ((*ENSEMBLE, "--to", "x", "--keep", "0"), "--keep"),
        ((*ENSEMBLE, "--to", "x", "--outputs", "a.jsonl"), "--outputs a.jsonl: is named twice"),
        ((*ENSEMBLE, "--to", "x", "--outputs", "./a.jsonl"), "is named twice"),
        ((*ENSEMBLE, "--to", "x", "--outputs", "good.jsonl", "--strategy", "released"), "needs exactly two --outputs"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(forks: Forks, folder: Path, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in forks.refused(folder, *arguments)


def test_an_unknown_preset_names_the_known_ones(forks: Forks, folder: Path) -> None:
    said = forks.refused(folder, "run", "--preset", "", "--out", "run")
    assert all(name in said for name in preset_names())


SECRET = "hunter2"


@pytest.mark.parametrize("address", [f"http://me:{SECRET}@127.0.0.1:9/v1", f"ftp://me:{SECRET}@127.0.0.1/v1"])
@pytest.mark.parametrize("place", ["file", "list", "--set", "OPENAI_BASE_URL"])
def test_a_password_in_an_address_is_refused_and_not_repeated(
    forks: Forks, folder: Path, place: str, address: str
) -> None:
    given = {"file": address, "list": f"[{address}]"}.get(place, "null")
    (folder / "bad.yaml").write_text(GOOD.replace("http://127.0.0.1:9/v1", given, 1))
    more = ["--set", f"models.base.base_url={address}"] if place == "--set" else []
    env = {"OPENAI_BASE_URL": address} if place == "OPENAI_BASE_URL" else {}
    said = forks.refused(folder, "run", "bad.yaml", "--out", "run", *more, env=env)
    assert SECRET not in said
    assert ("OPENAI_BASE_URL" if place == "OPENAI_BASE_URL" else "models.base.base_url") in said


@pytest.mark.parametrize(
    "command",
    [
        "run bad.yaml --out run",
        "instructions bad.yaml --kind input_output --to out.jsonl",
        "instances bad.yaml --kind input_output --instructions good.jsonl --to out.jsonl",
        "outputs bad.yaml --model base --instances good.jsonl --to out.jsonl",
    ],
)
def test_a_key_variable_that_is_not_set_is_named(forks: Forks, folder: Path, command: str) -> None:
    (folder / "bad.yaml").write_text(GOOD.replace("    model: m\n", "    model: m\n    api_key_env: MY_OWN_KEY\n", 1))
    said = forks.refused(folder, *command.split())
    assert "models.base.api_key_env: environment variable MY_OWN_KEY is not set" in said


def test_a_key_in_place_of_the_name_of_its_variable_is_not_repeated(forks: Forks, folder: Path) -> None:
    bad = GOOD.replace("    model: m\n", f"    model: m\n    api_key_env: sk-{SECRET}\n", 1)
    (folder / "bad.yaml").write_text(bad)
    said = forks.refused(folder, "run", "bad.yaml", "--out", "run")
    assert "models.base.api_key_env" in said
    assert SECRET not in said


WRITERS = {
    "instructions": "instructions config.yaml --kind input_output --to TO",
    "instances": "instances config.yaml --kind input_output --instructions good.jsonl --to TO",
    "parse": "parse --instances completions.jsonl --to TO",
    "outputs": "outputs config.yaml --model a --instances good.jsonl --to TO",
    "ensemble": "ensemble --instances good.jsonl --outputs a.jsonl --outputs b.jsonl --to TO",
    "init": "init TO",
}


@pytest.mark.parametrize("place", ["missing folder", "folder", "below a file", "unwritable"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_place_that_cannot_be_written_is_refused(forks: Forks, folder: Path, writer: str, place: str) -> None:
    (folder / "here").mkdir()
    to, problem = {
        "missing folder": ("nowhere/out.jsonl", "nowhere does not exist"),
        "folder": ("here", "is a folder"),
        "below a file": ("good.jsonl/out.jsonl", "good.jsonl"),
        "unwritable": (str(unwritable(folder / "locked") / "out.jsonl"), "cannot be written"),
    }[place]
    said = forks.refused(folder, *WRITERS[writer].replace("TO", to).split())
    assert to in said
    assert problem in said


@pytest.mark.parametrize("writer", ["instructions", "instances", "outputs"])
def test_a_store_in_a_folder_that_is_not_there_is_refused(forks: Forks, folder: Path, writer: str) -> None:
    arguments = WRITERS[writer].replace("TO", "out.jsonl").split()
    assert "nowhere does not exist" in forks.refused(folder, *arguments, "--store", "nowhere/answers.db")


def test_a_store_that_is_no_store_is_refused_and_kept(forks: Forks, folder: Path) -> None:
    arguments = WRITERS["outputs"].replace("TO", "out.jsonl").split()
    assert "good.jsonl" in forks.refused(folder, *arguments, "--store", "good.jsonl")


@pytest.mark.parametrize("place", ["file", "foreign folder", "below a file", "unwritable"])
def test_a_place_that_cannot_become_a_run_is_refused(forks: Forks, folder: Path, place: str) -> None:
    out, problem = {
        "file": ("good.jsonl", "is a file"),
        "foreign folder": (".", "is not empty and not a run folder"),
        "below a file": ("good.jsonl/run", "cannot be created"),
        "unwritable": (str(unwritable(folder / "locked") / "run"), "cannot be created"),
    }[place]
    said = forks.refused(folder, "run", "config.yaml", "--out", out)
    assert out in said
    assert problem in said


def _foreign_database(folder: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / "run.db") as connection:
        connection.execute("PRAGMA application_id = 7")
        connection.execute("CREATE TABLE t (x)")
    connection.close()


@pytest.mark.parametrize("command", ["status FOLDER", "export FOLDER --format alpaca --to out.jsonl"])
@pytest.mark.parametrize("place", ["nowhere", "good.jsonl", "empty", "garbage", "foreign"])
def test_what_is_no_run_is_refused(forks: Forks, folder: Path, place: str, command: str) -> None:
    (folder / "empty").mkdir()
    (folder / "garbage").mkdir()
    (folder / "garbage" / "run.db").write_bytes(b"no database" * 1000)
    _foreign_database(folder / "foreign")
    assert place in forks.refused(folder, *command.replace("FOLDER", place).split())


def test_an_unknown_export_format_names_the_known_ones(forks: Forks, folder: Path) -> None:
    said = forks.refused(folder, "export", "nowhere", "--format", "csv", "--to", "out.csv")
    for form in ("original", "alpaca", "messages", "prompt-completion", "parquet"):
        assert form in said


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


@given(place=st.sampled_from(_PLACES), value=_VALUES, override=st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_value_anywhere_is_accepted_or_refused_with_its_place(
    place: tuple[str, ...], value: object, override: bool
) -> None:
    config = yaml.safe_load(GOOD)
    holder = config
    for key in place[:-1]:
        holder = holder.setdefault(key, {})
    if place:
        holder[place[-1]] = value
    found = _read(yaml.safe_dump(config if place else value), [])
    if place and override:
        found = _read(GOOD, [f"{'.'.join(map(str, place))}={yaml.safe_dump(value)}"])
    if isinstance(found, Config):
        assert set(found.used_models) <= set(found.models)
    else:
        assert str(found).startswith(("bad.yaml:", "--set "))
