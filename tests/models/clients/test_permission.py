"""No config runs code by itself: what is not of this package runs only where the user has allowed it, at each start."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ensemble_instruct as ei
from ensemble_instruct.config.load import load_config, parse_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ConfigError
from ensemble_instruct.models.clients import make_client
from ensemble_instruct.models.clients.permission import ALLOW_CODE, require_code_allowed
from tests.support.forks import Forks, on_path, tree
from tests.support.good_input import TASK, write

MODULE = """
from pathlib import Path
Path(__file__).with_name("was-imported").touch()
from tests.support.simulated.models import base, voter_a, voter_b
"""
CONFIG = """
instructions: {target: {input_output: 4, output_only: 4}, demonstrations: {input_output: 4, output_only: 4}}
models:
  base: {provider: scripted, function: "planted:base"}
  a: {provider: scripted, function: "planted:voter_a"}
  b: {provider: scripted, function: "planted:voter_b"}
roles: {instructions: base, instances: base, outputs: [a, b]}
licenses: {policy: any}
"""
COMMANDS = {
    "run": ["run", "my.yaml", "--out", "run"],
    "check": ["check", "my.yaml"],
    "preview": ["preview", "my.yaml", "--rows", "1"],
    "instructions": ["instructions", "my.yaml", "--kind", "output_only", "--to", "out"],
    "instances": ["instances", "my.yaml", "--kind", "output_only", "--instructions", "tasks.jsonl", "--to", "out"],
    "outputs": ["outputs", "my.yaml", "--model", "a", "--instances", "tasks.jsonl", "--to", "out"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config, and with a module that leaves a file when it is imported."""
    (tmp_path / "planted.py").write_text(MODULE)
    (tmp_path / "my.yaml").write_text(CONFIG)
    write(tmp_path / "tasks.jsonl", TASK)
    return tmp_path


def answered(forks: Forks, folder: Path, *arguments: str, allowed: str = "") -> subprocess.CompletedProcess[str]:
    return forks.run(folder, arguments, on_path(folder) | {ALLOW_CODE: allowed})


def was_imported(folder: Path) -> bool:
    mark = folder / "was-imported"
    is_there = mark.exists()
    mark.unlink(missing_ok=True)
    return is_there


@pytest.mark.parametrize("command", COMMANDS)
def test_a_function_is_refused_in_one_line_and_its_module_is_not_imported(
    forks: Forks, folder: Path, command: str
) -> None:
    for allowed in ("", "0", "yes"):
        done = answered(forks, folder, *COMMANDS[command], allowed=allowed)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: models.")
        assert ".function: planted:" in line
        assert "--allow-code" in line
        assert not was_imported(folder)
    assert not (folder / "run").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_option_and_the_variable_allow_it(forks: Forks, folder: Path, command: str) -> None:
    before = tree(folder)
    for more, allowed in ((["--allow-code"], ""), ([], "1")):
        done = answered(forks, folder, *COMMANDS[command], *more, allowed=allowed)
        assert "--allow-code" not in done.stderr
        assert done.returncode == 0, done.stderr
        assert was_imported(folder)
        for path in [path for path in tree(folder) if path not in before and path.is_file()]:
            path.unlink()


def test_a_run_that_is_resumed_needs_it_again_and_what_reads_a_run_never(forks: Forks, folder: Path) -> None:
    for name in ("run", "other"):
        assert answered(forks, folder, "run", "my.yaml", "--out", name, "--allow-code").returncode == 0
    assert was_imported(folder)
    for again in (["run", "--out", "run"], ["run", "my.yaml", "--out", "run", "--retry-failed"]):
        done = answered(forks, folder, *again)
        assert (done.returncode, was_imported(folder)) == (2, False)
        assert len(done.stderr.splitlines()) == 1
    for command in (
        ["status", "run"], ["report", "run", "--to", "r.html"], ["card", "run"], ["select", "run", "--keep", "0.5"],
        ["export", "run", "--format", "alpaca", "--to", "x.jsonl"], ["merge", "run", "other", "--to", "both"],
        ["run", "my.yaml", "--out", "third", "--dry-run"], ["evaluate", "--run", "run"],
    ):  # fmt: skip
        done = answered(forks, folder, *command)
        assert not was_imported(folder), command
        assert "internal error" not in done.stderr


def test_from_python_it_is_an_argument(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOW_CODE)
    monkeypatch.syspath_prepend(str(folder))
    config = load_config(folder / "my.yaml")
    for call in (
        lambda: ei.run(config, folder / "run", progress=False),
        lambda: asyncio.run(ei.run_async(config, folder / "run", progress=False)),
        lambda: ei.preview(config, rows=1, progress=False),
    ):
        with pytest.raises(ConfigError, match=r"function: planted:base runs a program.* call with allow_code=True"):
            call()
        assert not was_imported(folder)
        assert not (folder / "run").exists()
    assert ei.run(config, folder / "run", progress=False, allow_code=True).state == "finished"
    assert ei.preview(config, rows=1, progress=False, allow_code=True).kinds


def test_a_config_cannot_allow_it(folder: Path) -> None:
    for text in (f"allow_code: true\n{CONFIG}", CONFIG.replace("{provider", "{allow_code: true, provider")):
        with pytest.raises(ConfigError, match=r"allow_code: unknown key"):
            parse_config(text, "my.yaml", folder)


@pytest.mark.parametrize(
    "options",
    [
        {"trust_remote_code": True}, {"trust_remote_code": "yes"}, {"hf_overrides": {"trust_remote_code": True}},
        {"weights_only": False}, {"attn_implementation": "someone/kernel"}, {"use_kernels": True},
        {"worker_cls": "planted.Worker"}, {"worker_extension_cls": "planted.Worker"}, {"scheduler_cls": "a.b"},
        {"logits_processors": ["planted:Processor"]}, {"tool_parser_plugin": "planted.py"},
        {"structured_outputs_config": {"reasoning_parser_plugin": "planted.py"}},
        {"kv_transfer_config": {"kv_connector_module_path": "planted"}},
        {"distributed_executor_backend": "planted.Executor"}, {"compilation_config": {"backend": "planted.compile"}},
        {"compilation_config": {"more": [{"inductor_passes": {"a": "planted.x"}}]}},
    ],
    ids=str,
)  # fmt: skip
def test_an_option_of_a_local_model_that_runs_code_is_refused(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for provider in ("transformers", "vllm"):
        models = {"m": ModelSection(provider=provider, model="org/model", options=options)}
        monkeypatch.setenv(ALLOW_CODE, "")
        with pytest.raises(ConfigError, match=r"^models\.m\.options\..* runs a program"):
            require_code_allowed(models, allow_code=False)
        with pytest.raises(ConfigError, match=r"^models\.m\.options\..* runs a program"):
            make_client("m", models["m"], None)
        require_code_allowed(models, allow_code=True)
        monkeypatch.setenv(ALLOW_CODE, "1")
        require_code_allowed(models, allow_code=False)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"trust_remote_code": False}, {"weights_only": True}, {"attn_implementation": "flash_attention_2"},
        {"device_map": "auto", "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
        {"distributed_executor_backend": "ray", "tensor_parallel_size": 2, "quantization": "awq", "dtype": "half"},
        {"tokenizer": "org/tokenizer-1.5", "gpu_memory_utilization": 0.9, "load_format": "safetensors"},
    ],
    ids=str,
)  # fmt: skip
def test_other_options_need_no_permission(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOW_CODE)
    for provider in ("transformers", "vllm"):
        models = {"m": ModelSection(provider=provider, model="org/model", options=options)}
        require_code_allowed(models, allow_code=False)


def test_the_bundled_models_and_recorded_replies_need_no_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ALLOW_CODE)
    require_code_allowed(load_config(preset="demo").models, allow_code=False)
    write(tmp_path / "said.jsonl", {"prompt": "a", "text": "b"})
    make_client("m", ModelSection(provider="scripted", replies=tmp_path / "said.jsonl"), None)


def test_a_module_that_is_not_there_is_one_line(forks: Forks, folder: Path) -> None:
    (folder / "planted.py").write_text("import \\\nnothing_of_this_name\n")
    for function, problem in (("planted:base", "nothing_of_this_name"), ("missing:base", "No module named 'missing'")):
        done = answered(forks, folder, *COMMANDS["outputs"], "--set", f"models.a.function='{function}'", allowed="1")
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert f"models.a.function: '{function}' cannot be imported" in line
        assert problem in line


def test_a_module_in_the_working_folder_is_not_taken_for_one_of_ours(folder: Path) -> None:
    for name in ("yaml", "click", "pydantic", "litellm", "ctranslate2"):
        (folder / f"{name}.py").write_text(MODULE)
    command = [sys.executable, "-m", "ensemble_instruct", "check", "my.yaml"]
    environment = on_path(folder / "elsewhere") | {ALLOW_CODE: ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--allow-code" in done.stderr
    assert not was_imported(folder)


def test_with_permission_a_module_of_the_working_folder_is_found(folder: Path) -> None:
    command = [sys.executable, "-m", "ensemble_instruct", *COMMANDS["outputs"], "--allow-code"]
    environment = on_path(folder / "elsewhere") | {ALLOW_CODE: ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert was_imported(folder)
