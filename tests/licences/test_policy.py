"""Licences of a run: what is refused before the first request and how one goes on, and what follows for the dataset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from ensemble_instruct.config.load import parse_config
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.licences.policy import derive, licence_lines, notes, parts_of, require_admitted
from ensemble_instruct.licences.table import licence_called, licence_of_model, licences
from tests.conftest import PUBLISHED_RUN, needs_shared
from tests.support.forks import Forks
from tests.support.servers.reply import Served, said, serving

OWN_FILES = {
    "seed_tasks": "seeds.jsonl",
    "instances": {"demonstrations": {"input_output": "io.jsonl", "output_only": "oo.jsonl"}},
}


def config_of(declared: Sequence[str | None], files: str | None = None, policy: str = "permissive") -> Config:
    """A config with a model for each licence; with `files`, its seeds and demonstrations are the user's own."""
    models = {f"m{number}": {"model": f"org/{number}", "license": name} for number, name in enumerate(declared)}
    values: dict[str, Any] = {
        "models": models,
        "roles": {"instructions": "m0", "instances": "m0", "outputs": list(models)},
        "licenses": {"policy": policy},
    }
    if files is not None:
        values |= OWN_FILES
        values["licenses"] |= {"seed_tasks": files, "demonstrations": files}
    return parse_config(yaml.safe_dump(values), "config", Path.cwd())


@pytest.mark.parametrize(
    ("declared", "files", "licence", "refused"),
    [
        (["Apache-2.0", "Apache-2.0"], None, "apache-2.0", None),
        (["Apache-2.0", "MIT"], None, "apache-2.0", None),
        (["MIT", "MIT"], None, "apache-2.0", None),
        (["MIT", "mit"], "MIT", "mit", None),
        (["BSD-3-Clause", "MIT"], "CC0-1.0", "bsd-3-clause", None),
        (["CC-BY-SA-4.0"], "CC-BY-SA-4.0", "cc-by-sa-4.0", None),
        (["Apache-2.0", "llama3.1"], None, "apache-2.0-and-llama3.1", None),
        (["gemma", "LicenseRef-Qwen", "MIT"], None, "apache-2.0-and-gemma-and-mit-and-qwen", None),
        (["Apache-2.0", "llama3"], None, "apache-2.0-and-llama3", "m1"),
        (["openai-terms"], "openai-terms", "openai-terms", "m0"),
        (["MIT AND CC-BY-4.0", "Apache-2.0"], None, "apache-2.0-and-cc-by-4.0-and-mit", None),
        (["CC-BY-NC-4.0", "Apache-2.0"], None, "apache-2.0-and-cc-by-nc-4.0", "m0"),
        (["Apache-2.0", "My-License-1.0"], None, "unknown", "m1"),
        (["Apache-2.0", None], None, "unknown", "m1"),
        ([None, "llama2", "MIT"], None, "unknown", "m0"),
    ],
)
def test_what_follows_from_the_licences_of_a_mixed_run(
    declared: list[str | None], files: str | None, licence: str, refused: str | None
) -> None:
    config = config_of(declared, files)
    derived = derive(parts_of(config))
    assert (derived.name or derived.hub) == licence
    assert derived.hub == ("other" if "-and-" in licence or licence == "openai-terms" else licence)
    if refused is None:
        require_admitted(config)
    else:
        with pytest.raises(ConfigError, match=f"^models.{refused}.license: "):
            require_admitted(config)
    require_admitted(config_of(declared, files, policy="any"))


def test_files_of_the_users_need_a_licence() -> None:
    config = parse_config(
        yaml.safe_dump({**config_of(["MIT"]).model_dump(mode="json"), **OWN_FILES}), "config", Path.cwd()
    )
    with pytest.raises(ConfigError, match=r"^licenses.seed_tasks: .* \(and 1 more: licenses.demonstrations\)$"):
        require_admitted(config)
    require_admitted(config_of(["MIT"], "CC-BY-4.0"))


def test_files_of_known_seed_tasks_alone_need_none(tmp_path: Path) -> None:
    bundled = (files("ensemble_instruct") / "data" / "seed_tasks.jsonl").read_text("utf-8").splitlines()
    seeds = tmp_path / "seeds.jsonl"

    def declared(*lines: str) -> str | None:
        seeds.write_text("\n".join(lines), "utf-8")
        text = yaml.safe_dump({**config_of(["MIT"]).model_dump(mode="json"), "seed_tasks": "seeds.jsonl"})
        return parse_config(text, "config", tmp_path).licenses.seed_tasks

    assert declared(*reversed(bundled[10:20]), "") == "Apache-2.0"
    assert declared(*bundled[:20], bundled[20].replace(".", "!")) is None
    assert declared(*bundled[:20], "no JSON") is None
    assert declared("") is None


@needs_shared
def test_self_instructs_seed_tasks_need_none() -> None:
    values = {**config_of(["MIT"]).model_dump(mode="json"), "seed_tasks": str(PUBLISHED_RUN / "seed_tasks.jsonl")}
    config = parse_config(yaml.safe_dump(values), "config", Path.cwd())
    require_admitted(config)
    assert derive(parts_of(config)).hub == "apache-2.0"


def named(model: str) -> Config:
    """A config whose one model declares nothing."""
    values = config_of([None]).model_dump(mode="json")
    values["models"]["m0"]["model"] = model
    return Config.model_validate(values)


def test_a_model_is_known_by_its_name_where_nothing_is_declared() -> None:
    with pytest.raises(ConfigError, match=r"^models.m0.license: llama3 .*, by its name the licence, does not"):
        require_admitted(named("meta-llama/Meta-Llama-3-8B-Instruct"))
    free = named("google/flan-t5-xxl")
    require_admitted(free)
    (line,) = notes(free)
    assert "google/flan-t5-xxl was published under Apache-2.0" in line
    assert derive(parts_of(free)).hub == "unknown"
    assert re.split(r"  +", licence_lines(free)[1])[1] == "not declared (Apache-2.0 by its name)"
    assert [line.partition(": ")[2][:6] for line in notes(named("llama3.1:8b"))] == ["is not", "Llama "]


@pytest.mark.parametrize(
    ("model", "licence"),
    [
        ("meta-llama/Llama-2-7b-hf", "llama2"), ("meta-llama/Meta-Llama-3-8B", "llama3"), ("llama3:8b", "llama3"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3.1"), ("google/gemma-2-9b-it", "gemma"),
        ("llama3.1:8b", "llama3.1"),
        ("gemma:7b", "gemma"), ("google/gemma-3-4b-it", "gemma"), ("tiiuae/falcon-40b", "Apache-2.0"),
        ("tiiuae/falcon-180B", "falcon-llm-license"), ("Qwen/Qwen-7B", "tongyi-qianwen"),
        ("Qwen/Qwen2.5-7B-Instruct", "Apache-2.0"), ("Qwen/Qwen2.5-72B-Instruct", "qwen"),
        ("qwen2.5:3b", "qwen-research"),
        ("mistral:7b-text", "Apache-2.0"), ("mistralai/Mistral-Large-Instruct-2407", "mrl"), ("gpt-4o", "openai-terms"),
        ("openai/gpt-oss-20b", "Apache-2.0"), ("deepseek-ai/DeepSeek-R1", "MIT"),
        ("deepseek-ai/DeepSeek-V3", "deepseek"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", None), ("TinyLlama/TinyLlama-1.1B", None), ("org/model", None),
        ("claude-3-5-sonnet", "anthropic-terms"), ("gpt2", None),
    ],
)  # fmt: skip
def test_the_name_of_a_model_tells_its_licence_where_it_is_well_known(model: str, licence: str | None) -> None:
    known = licence_of_model(model)
    assert (known and known.id) == licence


def test_a_declaration_that_the_name_speaks_against_is_a_note_and_no_more() -> None:
    values = config_of(["Apache-2.0"]).model_dump(mode="json")
    values["models"]["m0"]["model"] = "google/gemma-2-9b-it"
    config = Config.model_validate(values)
    require_admitted(config)
    assert [line.partition(" (")[0] for line in notes(config)] == [
        "models.m0.license: is Apache-2.0, but google/gemma-2-9b-it was published under gemma"
    ]
    assert notes(config_of(["Apache-2.0", "MIT"])) == []
    values["models"]["m0"]["license"] = "MIT OR Gemma"
    assert not any("published" in line for line in notes(Config.model_validate(values)))


def test_conditions_are_told() -> None:
    (line,) = notes(config_of(["MIT", "llama3.1"]))
    assert line.startswith("models.m1.license: Llama 3.1 Community License: ")
    assert '"Llama"' in line


@pytest.mark.parametrize("name", ["apache-2.0", "APACHE-2.0", "Apache 2.0", "LicenseRef-apache-2.0", " Apache_2.0 "])
def test_a_licence_is_known_in_whatever_case(name: str) -> None:
    known = licence_called(name)
    assert known is not None
    assert known.id == "Apache-2.0"


def test_each_line_of_the_table_has_a_source_and_a_date_and_a_name_of_its_own() -> None:
    table = licences()
    assert len({entry.id for entry in table}) == len(table)
    assert len({entry.rank for entry in table if entry.rank}) == len([entry for entry in table if entry.rank])
    for entry in table:
        assert entry.source.startswith("https://"), entry
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry.date), entry
        assert entry.says.endswith("."), entry
        assert entry.outputs in ("yes", "conditions", "no"), entry
        assert (entry.rank is not None) == (entry.outputs == "yes"), entry
        for name in (entry.id, *entry.names):
            assert licence_called(name) == entry
    assert {entry.commercial for entry in table} == {True, False}


CONFIG = """
instructions: {target: {input_output: 3, output_only: 0}, demonstrations: {input_output: 4}, patience: 3}
models:
  base: {provider: scripted, function: "tests.support.simulated.models:base"}
  voter: {base_url: URL, model: org/voter, endpoint: chat}
roles: {instructions: base, instances: base, outputs: [voter]}
"""
COMMANDS = ["run config.yaml --out run", "run config.yaml --out run --dry-run", "check config.yaml"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server whose model agrees with everything, and a config of which it is the voter."""
    with serving(lambda body, number: _agreeing()) as served:
        (tmp_path / "config.yaml").write_text(CONFIG.replace("URL", served.base_url))
        yield served


async def _agreeing() -> Any:
    return said("yes")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ("null", "the licence of org/voter is not declared"),
        ("Llama-2", "Llama-2 (Llama 2 Community License) does not let outputs of org/voter train other models"),
        ("Nobodys-1.0", "nothing is known of the licence 'Nobodys-1.0' of org/voter"),
        ("CC-BY-NC-4.0", "permits no commercial use"),
    ],
)
def test_a_licence_that_is_not_admitted_stops_before_the_first_request(
    forks: Forks, tmp_path: Path, server: Served, command: str, declared: str, problem: str
) -> None:
    done = forks.run(tmp_path, [*command.split(), "--set", f"models.voter.license={declared}"])
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: models.voter.license: ")
    assert problem in line
    assert "set models.voter.license to the licence that holds, such as Apache-2.0, or licenses.policy to any" in line
    assert done.returncode == 2
    assert server.bodies == []
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("setting", ["models.voter.license=Apache-2.0", "licenses.policy=any"])
def test_the_ways_to_go_on_that_the_line_names_do_go_on(
    forks: Forks, tmp_path: Path, server: Served, setting: str
) -> None:
    done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run", "--allow-empty", "--set", setting])
    assert done.returncode == 0, done.stderr
    assert server.bodies
    again = forks.run(tmp_path, ["run", "--out", "run", "--allow-empty", "--set", "licenses.policy=any"])
    assert again.returncode == 0, again.stderr


def test_a_step_alone_looks_at_the_model_that_it_asks(forks: Forks, tmp_path: Path, server: Served) -> None:
    (tmp_path / "tasks.jsonl").write_text('{"instruction": "Agree.", "input": "", "output": "yes"}\n')
    outputs = ["outputs", "config.yaml", "--model", "voter", "--instances", "tasks.jsonl", "--to", "out.jsonl"]
    for declared in ("Llama-2", "Nobodys-1.0"):
        assert declared in forks.refused(tmp_path, *outputs, "--set", f"models.voter.license={declared}")
    assert server.bodies == []
    assert forks.run(tmp_path, outputs).returncode == 0
    assert forks.run(tmp_path, [*outputs, "--set", "models.voter.license=MIT"]).returncode == 0
    alone = ["instructions", "config.yaml", "--kind", "input_output", "--to", "instructions.jsonl"]
    assert forks.run(tmp_path, alone).returncode == 0


def test_check_shows_all_licences_and_what_follows(forks: Forks, tmp_path: Path, server: Served) -> None:
    done = forks.run(tmp_path, ["check", "config.yaml", "--set", "models.voter.license=gemma"])
    assert done.returncode == 0, done.stderr
    table = [re.split(r"  +", line) for line in done.stdout.splitlines()[:5]]
    assert table[1:4] == [
        ["model base", "not declared", "your own"],
        ["model voter", "gemma", "conditions"],
        ["bundled seed tasks and demonstrations", "Apache-2.0", "yes"],
    ]
    assert table[4][0].startswith("licence of the dataset: unknown (")
    assert done.stderr.startswith("note: models.voter.license: Gemma Terms of Use: ")
