"""The table of licences: expressions of several, names on the Hub, and which models were published under what."""

from __future__ import annotations

import pytest
import yaml

from ensemble_instruct.licences.model_names import is_named
from ensemble_instruct.licences.table import Licence, licence_called, licence_of_model, licences

ON_THE_HUB = [
    "apache-2.0",
    "mit",
    "openrail",
    "bigscience-openrail-m",
    "creativeml-openrail-m",
    "bigscience-bloom-rail-1.0",
    "bigcode-openrail-m",
    "afl-3.0",
    "artistic-2.0",
    "bsl-1.0",
    "bsd",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsd-3-clause-clear",
    "c-uda",
    "cc",
    "cc0-1.0",
    "cc-by-2.0",
    "cc-by-2.5",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc-by-nc-2.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nd-4.0",
    "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
    "cdla-sharing-1.0",
    "cdla-permissive-1.0",
    "cdla-permissive-2.0",
    "wtfpl",
    "ecl-2.0",
    "epl-1.0",
    "epl-2.0",
    "etalab-2.0",
    "eupl-1.1",
    "eupl-1.2",
    "agpl-3.0",
    "gfdl",
    "gpl",
    "gpl-2.0",
    "gpl-3.0",
    "lgpl",
    "lgpl-2.1",
    "lgpl-3.0",
    "isc",
    "h-research",
    "intel-research",
    "lppl-1.3c",
    "ms-pl",
    "apple-ascl",
    "apple-amlr",
    "mpl-2.0",
    "odc-by",
    "odbl",
    "openmdw-1.0",
    "openrail++",
    "osl-3.0",
    "postgresql",
    "ofl-1.1",
    "ncsa",
    "unlicense",
    "zlib",
    "pddl",
    "lgpl-lr",
    "deepfloyd-if-license",
    "fair-noncommercial-research-license",
    "llama2",
    "llama3",
    "llama3.1",
    "llama3.2",
    "llama3.3",
    "llama4",
    "grok2-community",
    "gemma",
    "unknown",
    "other",
]
"""The licences that a card on the Hub may name."""
MODELS: dict[str, str] = yaml.safe_load("""
llama3: llama3 llama3:instruct meta.llama3-8b-instruct-v1:0 llama3-8b-8192
llama3.1: llama3.1 meta.llama3-1-8b-instruct-v1:0 llama-3.1-8b-instant openrouter/meta-llama/llama-3.1-8b:free
    accounts/fireworks/models/llama-v3p1-8b-instruct /data/models/Llama-3.1-8B-Instruct tulu3:8b
llama3.2: llama3.2:3b llama3.2 llama3.2:3b-instruct-q4_K_M hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M
llama4: llama4:scout meta-llama/Llama-4-Scout-17B-16E-Instruct
Apache-2.0: qwen2.5 qwen2.5:7b qwen2.5-coder:14b qwen3:8b qwen3:30b-a3b Qwen/Qwen2.5-7B-Instruct-AWQ qwq:32b mistral
    mistral:latest mistral:7b-instruct-v0.3-q4_K_M TheBloke/Mistral-7B-Instruct-v0.2-GGUF
    ./models/mistral-7b-instruct-v0.2.Q4_K_M.gguf mistral.mistral-7b-instruct-v0:2 mixtral:8x7b mistral-small:24b
    mistral-nemo granite3.1-dense granite3.1-dense:8b granite4:micro-h granite-code olmo2
    olmo2:7b-1124-instruct-q4_K_M allenai/Olmo-3-7B-Think smollm2 smollm2:135m gpt-oss gpt-oss:20b tiiuae/falcon-rw-1b
    falcon:7b google/flan-t5-xxl google/flan-ul2 gemma4:12b yi:34b
MIT: phi phi3 phi3:mini phi3:medium-128k phi4-mini microsoft/phi-1_5 deepseek-r1:671b deepseek-ai/DeepSeek-V3.1
gemma: gemma gemma2 gemma2:2b gemma2:9b-instruct-q4_0 gemma3:4b-it-qat gemma3n:e4b gemma2-9b-it google/gemma-2b
falcon-llm-license: falcon3 falcon3:10b falcon2:11b tiiuae/falcon-mamba-7b tiiuae/Falcon-H1-7B-Instruct
tongyi-qianwen: qwen:7b qwen2:72b Qwen/Qwen1.5-14B-Chat
tongyi-qianwen-research: qwen:4b Qwen/Qwen1.5-0.5B
qwen-research: qwen2.5:3b Qwen/Qwen2.5-Coder-3B
mrl: mistral-small:22b mistral-large:123b mistralai/Ministral-8B-Instruct-2410
CC-BY-NC-4.0: command-r command-r7b:7b CohereForAI/c4ai-command-r-v01 aya-expanse:8b
openai-terms: gpt-4o-mini gpt-4o-mini-2024-07-18 gpt-3.5-turbo-0125 o4-mini gpt-5.1-codex azure/gpt-4o
    ft:gpt-4o-mini-2024-07-18:my-org::abc openai/gpt-4.1-nano chatgpt-4o-latest text-davinci-003
anthropic-terms: claude-3-5-sonnet-20241022 claude-opus-4-1@20250805 us.anthropic.claude-sonnet-4-20250514-v1:0
gemini-api-terms: gemini-1.5-pro models/gemini-2.5-flash-lite gemini-2.0-flash-exp google/gemini-2.5-pro
xai-terms: grok-4 x-ai/grok-code-fast-1
mistral-terms: mistral-large-latest mistral-small-2409 codestral-latest
deepseek-terms: deepseek-chat
unknown: mistral-openorca mistral-7b-openorca someone/Mistral-7B-v0.1 llama3-gradient dolphin-llama3 gemma3-medical
    NousResearch/Hermes-2-Pro-Mistral-7B nvidia/Llama-3_3-Nemotron-Super-49B-v1 someone/qwen2.5-7b my-gemma
    deepseek-r1:8b deepseek-r1:70b qwen/qwen3-max qwen-max openai/whisper-large gpt-4-x-alpaca claude-distill-llama
    xai-org/grok-2 Qwen/Qwen3.8-Flash-Next mistral-small voter . /
""")
"""Names of models by the licence that they tell."""


def test_a_card_names_only_licences_that_the_hub_knows() -> None:
    assert {entry.hub for entry in licences() if entry.hub} <= {*ON_THE_HUB} - {"unknown", "other"}
    for entry in licences():
        assert entry.hub or {entry.id.lower(), *map(str.lower, entry.names)}.isdisjoint(ON_THE_HUB), entry


@pytest.mark.parametrize(
    ("expression", "licence"),
    [
        ("Apache-2.0 OR MIT", "MIT"),
        ("llama3 or apache-2.0", "Apache-2.0"),
        ("CC-BY-NC-4.0 OR llama3.1", "llama3.1"),
        ("MIT OR Nobodys-1.0", "MIT"),
        ("Nobodys-1.0 OR Nobodys-2.0", None),
        ("Apache-2.0 AND CC-BY-4.0", "Apache-2.0-and-CC-BY-4.0"),
        ("MIT AND Nobodys-1.0", None),
        ("MIT AND mit", "MIT"),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0"),
        ("Apache-2.0 WITH LLVM-exception OR llama3", "Apache-2.0"),
        ("GPL-2.0+", "GPL-2.0"),
        ("MIT OR Apache-2.0 AND CC-BY-4.0", "MIT"),
        ("(llama3.1 OR llama3) AND (MIT OR Apache-2.0)", "llama3.1-and-MIT"),
        ("((LicenseRef-Gemma))", "gemma"),
        ("MIT OR", None),
        ("AND MIT", None),
        ("(MIT", None),
        ("MIT) OR (Apache-2.0", None),
        ("()", None),
        ("(" * 5000 + "MIT" + ")" * 5000, None),
    ],
)
def test_an_expression_comes_to_what_it_asks(expression: str, licence: str | None) -> None:
    known = licence_called(expression)
    assert (known and known.id) == licence


def test_where_several_hold_they_are_as_strict_as_all_of_them() -> None:
    def called(name: str) -> Licence:
        known = licence_called(name)
        assert known is not None
        return known

    free = called("MIT AND Apache-2.0")
    assert (free.outputs, free.hub, free.commercial) == ("yes", "apache-2.0", True)
    bound = called("MIT AND llama3.1")
    assert (bound.outputs, bound.hub, bound.commercial) == ("conditions", None, True)
    assert called("llama3.1").says in bound.says
    assert called("MIT").says in bound.says
    assert [each.source for each in bound.each] == [called("MIT").source, called("llama3.1").source]
    for refused in ("MIT AND llama3", "MIT AND CC-BY-NC-4.0", "(MIT AND llama3) OR CC-BY-NC-4.0"):
        assert called(refused).outputs == "no" or not called(refused).commercial


def test_the_licence_of_a_model_is_told_by_its_name_alone_where_nobody_changed_it() -> None:
    for licence, names in MODELS.items():
        for name in names.split():
            known = licence_of_model(name)
            assert (known.id if known else "unknown") == licence, name


def test_no_model_is_under_two_licences() -> None:
    for name in " ".join(MODELS.values()).split():
        assert len({entry.id for entry in licences() if any(is_named(name, one) for one in entry.models)}) <= 1, name
