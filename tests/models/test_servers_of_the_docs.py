"""The section that the docs show for each server, tried against a small one that accepts and refuses what it does."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from aiohttp import web

from ensemble_instruct.config.access import api_key
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import (
    AuthenticationError,
    QuotaError,
    RequestRefusedError,
    TransientError,
    UnknownModelError,
)
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.records import Request, Response, Sampling
from tests.conftest import ROOT, rows
from tests.support.forks import Forks
from tests.support.servers.chat import ChatModels
from tests.support.servers.dialects import BUSY, DIALECTS, FILTERED, KEY, LONG, POOR, answer_of
from tests.support.servers.reply import Served, serving

PAGE = ROOT / "docs" / "guide" / "servers.md"
KEYS = ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY")
HARD = Sampling(
    max_tokens=64, min_tokens=15, temperature=0.7, top_p=0.9, top_k=50, seed=7, stop=("\n\n", "END"),
    json_schema='{"type": "object"}', presence_penalty=0.1, min_p=0.05,
)  # fmt: skip
"""All that a step or a user may ask for at once."""


def shown() -> dict[str, dict[str, Any]]:
    """By server, the section of its model in the docs."""
    found: dict[str, dict[str, Any]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        name = part.partition("\n")[0]
        for block in re.findall(r"```yaml\n(.*?)```", part, re.DOTALL):
            ((_, section),) = yaml.safe_load(block)["models"].items()
            found[f"{name}, dated" if name in found else name] = section
    return found


SECTIONS = shown()


@contextmanager
def server_of(name: str, models: ChatModels | None = None) -> Iterator[tuple[dict[str, Any], Served]]:
    """The small server, and the section of the docs with its address in place of the real one."""
    dialect, section = DIALECTS[name], SECTIONS[name]

    def gate(request: web.BaseRequest, body: dict[str, Any]) -> web.Response | None:
        assert request.path == f"{urlsplit(section['base_url']).path}/chat/completions"
        return dialect.refusal(request, body, section["model"])

    def answering(body: dict[str, Any], tries: int) -> web.Response:
        said = models.answering(body, tries) if models else plain(name, body, tries)
        reply = json.loads(said.text or "")
        dialect.served(reply, body)
        return web.json_response(reply)

    with serving(answering, gate=gate) as served:
        address = served.base_url.removesuffix("/v1") + urlsplit(section["base_url"]).path
        yield {**section, "base_url": address}, served


def plain(name: str, body: dict[str, Any], tries: int) -> web.Response:
    message = {"role": "assistant", "content": answer_of(DIALECTS[name], body, tries)}
    least = body.get("min_tokens", 0) if "min_tokens" in DIALECTS[name].follows else 0
    usage = {"prompt_tokens": 9, "completion_tokens": max(least, 2)}
    return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, KEY)


def outcome(name: str, prompt: str = "Why?", sampling: Sampling = HARD, **changed: Any) -> Response | BaseException:
    async def ask() -> Response | BaseException:
        section = ModelSection.model_validate({**settings, "structured": "always", **changed})
        client = OpenAIClient("m", section, api_key("m", section))
        request = Request(prompt=prompt, sampling=sampling, step="outputs", kind="output_only")
        try:
            await client.open()
            return (await asyncio.gather(client.answer(request), return_exceptions=True))[0]
        finally:
            await client.close()

    with server_of(name) as (settings, _):
        return asyncio.run(ask())


def test_each_server_has_a_section_and_each_section_a_server() -> None:
    assert SECTIONS.keys() == DIALECTS.keys()


@pytest.mark.parametrize("name", DIALECTS)
def test_whatever_is_asked_for_comes_to_an_answer(name: str) -> None:
    found = outcome(name)
    assert isinstance(found, Response), found
    assert found.finish_reason == "stop"
    assert not set(found.text) & set("\nEND")


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if dialect.too_long() is not None])
def test_a_prompt_that_is_too_long_is_a_drop(name: str) -> None:
    found = outcome(name, f"Why {LONG}?")
    assert isinstance(found, RequestRefusedError), found
    assert found.type == "prompt_too_long"


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if dialect.filtered() is not None])
def test_an_answer_that_is_withheld_is_a_drop(name: str) -> None:
    found = outcome(name, f"Why {FILTERED}?")
    assert isinstance(found, RequestRefusedError), found
    assert found.type == "content_filter"


@pytest.mark.parametrize("name", DIALECTS)
def test_a_busy_server_is_asked_again(name: str) -> None:
    found = outcome(name, f"Why {BUSY}?")
    assert isinstance(found, TransientError), found
    assert found.cause in ("429", "500", "503", "529")


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if dialect.poor() is not None])
def test_an_account_without_money_ends_the_run(name: str) -> None:
    assert isinstance(outcome(name, f"Why {POOR}?"), QuotaError)


@pytest.mark.parametrize("name", DIALECTS)
def test_an_unknown_model_ends_the_run(name: str) -> None:
    found = outcome(name, model="x/unknown")
    assert isinstance(found, UnknownModelError), found


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if dialect.wrong_key is not None])
def test_a_wrong_key_ends_the_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in KEYS:
        monkeypatch.setenv(variable, "sk-another-key")
    found = outcome(name)
    assert isinstance(found, AuthenticationError), found
    assert "another-key" not in str(found)


LEFT_OUT = {
    "OpenAI": ["temperature", "top_k"],
    "Azure": ["temperature", "top_k"],
    "Azure, dated": ["temperature", "top_k"],
    "Gemini": ["seed", "top_k"],
    "Anthropic": ["top_k"],
}
"""What `status` notes of a run: settings that are refused, and asked for by the steps."""


@pytest.mark.parametrize("name", DIALECTS)
def test_the_section_of_the_docs_makes_a_run(name: str, forks: Forks, tmp_path: Path) -> None:
    models = ChatModels()
    with server_of(name, models) as (section, served):
        config = {
            "instructions": {
                "target": {"input_output": 2, "output_only": 2},
                "demonstrations": {"input_output": 4, "output_only": 4},
            },
            "models": {"it": section},
            "roles": {"instructions": "it", "instances": "it", "outputs": ["it"]},
            "licenses": {"policy": "any"},
        }
        (tmp_path / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run"], dict.fromkeys(KEYS, KEY))
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "run" / "examples.jsonl")) == 4
    status = forks.run(tmp_path, ["status", "run"]).stdout
    left_out = re.findall(r"^note: model it: \S+ does not take (\w+):", status, re.MULTILINE)
    assert sorted(left_out) == LEFT_OUT.get(name, [])
    refused = [path for path in served.paths if path.endswith("completions")][len(models.replies) :]
    assert len(refused) < 12, "each refused setting is found out once, not for each request"


def test_what_check_prints_stands_in_the_docs(forks: Forks, tmp_path: Path) -> None:
    """The lines about the models, for three of the sections."""
    with ExitStack() as servers:
        models = {
            role: servers.enter_context(server_of(name))[0]
            for role, name in (("qwen", "vLLM"), ("granite", "llama.cpp"), ("gpt", "OpenAI"))
        }
        config = {
            "models": models,
            "roles": {"instructions": "qwen", "instances": "qwen", "outputs": ["granite", "gpt"]},
            "licenses": {"policy": "any"},
        }
        (tmp_path / "my.yaml").write_text(json.dumps(config), encoding="utf-8")
        done = forks.run(tmp_path, ["check", "my.yaml"], dict.fromkeys(KEYS, KEY))
    assert done.returncode == 0, done.stderr
    printed = "\n".join(line for line in done.stdout.splitlines() if re.match(r"model \S+ says", line))
    (block,) = re.findall(r"```text\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert printed == block
