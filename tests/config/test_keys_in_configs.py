"""A key in a config, wherever it stands, is refused with a line that says where it belongs; what is none is not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from ensemble_instruct.config.load import load_config, parse_config
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import ConfigError

KEY = "sk-Zq81-never-to-be-seen"
KEYS = [
    "sk-abcdefghijklmnopqrstuvwxyzabcdefghij", "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8x", "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "hf_AbCdEfGhIjKlMnOpQrStUvWxYz", "gsk_a1b2c3d4e5f6g7h8i9j0", "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "AKIAIOSFODNN7EXAMPLE", "AIzaSyD4-9tYxExampleExampleExampleExamp", "xai-1a2b3c4d5e6f7g8h9i0j",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "glpat-1a2b3c4d5e6f7g8h9i0j",
    "xoxb-123456789012-abcdefghijkl", "nvapi-1a2b3c4d5e6f7g8h9i0j", "r8_1234567890abcdef1234567890abcdef12345",
]  # fmt: skip
PLACES: list[tuple[str, Any]] = [
    ("models.a.options.api_key", "{}"), ("models.a.options.deep.0.note", "{}"), ("models.a.options.note", "see {}."),
    ("models.a.extra_body.note", "{}"), ("models.a.extra_body.litellm.0.x", "Bearer {}"),
    ("models.a.system", "Use the key {} to ask."), ("models.a.base_url", "http://h/v1/{}"),
    ("models.a.base_url", "http://h/{}/v1"), ("models.a.base_url", ["http://h/v1", "http://i/{}"]),
    ("models.a.known_as", "http://h/{}/v1"), ("models.a.model", "{}"), ("models.a.api_key", "{}"),
    ("models.a.revision", "{}"), ("models.a.path", "/home/me/{}"), ("models.a.license", "{}"),
    ("models.{}.model", "m"), ("models.a.options.{}", 1), ("seed_tasks", "tasks-{}.jsonl"), ("{}", 1),
    ("api_key", "{}"),
    ("instructions.filters.blocked_words", ["x", "{}"]), ("roles.instructions", "{}"), ("seed", "{}"),
]  # fmt: skip


def values_with(dotted: str, value: Any) -> dict[str, Any]:
    """A config that is valid but for a value under a dotted key, in which a number is a place in a list."""
    values: dict[str, Any] = {
        "models": {"a": {"model": "m"}},
        "roles": {"instructions": "a", "instances": "a", "outputs": ["a"]},
    }
    holder: Any = values
    *_, last = names = dotted.split(".")
    for name, following in pairwise(names):
        made: Any = [None] if following == "0" else {}
        if isinstance(holder, list):
            holder[0] = holder[0] if holder[0] is not None else made
            holder = holder[0]
        else:
            holder = holder.setdefault(name, made)
    holder[last] = value
    return values


def put(key: str, dotted: str, value: Any) -> tuple[str, Any]:
    written = [each.replace("{}", key) for each in value] if isinstance(value, list) else value
    written = written.replace("{}", key) if isinstance(written, str) else written
    return dotted.replace("{}", key), written


@pytest.mark.parametrize(("dotted", "value", "key"), [
    *((*place, KEY) for place in PLACES), *((*place, key) for place in PLACES[2:8:5] for key in KEYS),
])  # fmt: skip
def test_a_key_is_refused_wherever_it_stands_and_not_shown(dotted: str, value: Any, key: str) -> None:
    values = values_with(*put(key, dotted, value))
    reads: tuple[Callable[[], Config], ...] = (
        lambda: parse_config(yaml.safe_dump(values), "c.yaml", Path("/x")),
        lambda: load_config(overrides=values),
    )
    for read in reads:
        with pytest.raises(ConfigError) as error:
            read()
        message = str(error.value)
        assert "\n" not in message
        assert "${NAME}" in message
        assert key[:12] not in message
        assert "hold" in message


@pytest.mark.parametrize(("dotted", "value"), PLACES)
def test_a_key_in_a_setting_of_the_command_line_is_refused_and_not_shown(dotted: str, value: Any) -> None:
    text = yaml.safe_dump(values_with("seed", 1))
    name, written = put(KEY, dotted, value)
    if ".0." in name:
        return
    for override in (
        f"{name}={yaml.safe_dump(written, default_flow_style=True).removesuffix('...' + chr(10)).strip()}",
        f"{name}",
    ):
        with pytest.raises(ConfigError) as error:
            parse_config(text, "c.yaml", Path("/x"), [override])
        assert KEY[:9] not in str(error.value)


@pytest.mark.parametrize(("dotted", "value"), [
    ("options.hf_token", "mine"), ("options.a.password", "mine"), ("options.use_auth_token", "x"),
    ("extra_body.a.Password", "mine"), ("extra_body.api_key", "mine"), ("extra_body.client-secret", "x"),
    ("extra_body.litellm.0.token", "0123456789abcdef0123456789abcdef"),
    ("extra_body.note", "Ab3dEf6hIj9lMn2pQr5tUv8xYz1b4D"),
    ("base_url", "http://h/key/0123456789abcdef0123456789abcdef/v1"), ("base_url", "http://h/v1;api_key=a1b2c3d4e5f6g7h8i"),
    ("base_url", "http://h/sk-never-to-be-seen/v1"), ("options.note", "sk-never-to-be-seen"),
    ("base_url", "http://h/sk%2D1234567/v1"), ("base_url", "http://h/Ab3dEf6hIj9lMn2pQr5tUv8xYz1b4D/v1"),
])  # fmt: skip
def test_what_a_name_says_is_a_key_is_one_whatever_it_looks_like(dotted: str, value: str) -> None:
    with pytest.raises(ConfigError, match=r"key.*\$\{NAME\}") as error:
        load_config(overrides=values_with(f"models.a.{dotted}", value))
    assert f": {value}" not in str(error.value)


@pytest.mark.parametrize(("dotted", "value"), [
    ("options.pad_token", "<pad>"), ("options.pad_token_id", 0), ("options.token", True), ("options.tokenizer", "a/b"),
    ("options.code_revision", "0123456789abcdef0123456789abcdef01234567"), ("options.max_num_batched_tokens", 9),
    ("options.hf_overrides.architectures", ["Qwen2ForSequenceClassification"]), ("options.kv_cache_dtype", "fp8_e5m2"),
    ("extra_body.prompt_cache_key", "mine"), ("extra_body.user", "123e4567-e89b-12d3-a456-426614174000"),
    ("extra_body.lora", "Qwen2VL72BInstructAWQ"), ("extra_body.route", "hf_inference"), ("base_url", "http://h/hf_inference"),
    ("revision", "0123456789abcdef0123456789abcdef01234567"),
    ("model", "sk-learn-is-not-a-key-but-a-long-name"), ("model", "meta-llama/Llama-3.3-70B-Instruct-Turbo-FP8"),
    ("model", "fw_llama_v3_70b"), ("system", "Tasks of sk-learn, task-12345678901234567890, hf_hub and eyJ."),
    ("base_url", "https://gateway.ai.cloudflare.com/v1/0123456789abcdef0123456789abcdef/gate/openai"),
    ("base_url", "https://api.runpod.ai/v2/abcdef12345678/openai/v1"), ("base_url", "https://h/api/token/v1"),
    ("base_url", "https://x.openai.azure.com/openai/deployments/gpt-4o-2024-08-06"),
    ("base_url", "https://h/v1/projects/my-project-1234567/locations/us-central1/endpoints/openapi"),
    ("base_url", "https://h/serving-endpoints/123e4567-e89b-12d3-a456-426614174000/v1"),
])  # fmt: skip
def test_what_is_no_key_is_taken(dotted: str, value: Any) -> None:
    values = values_with(f"models.a.{dotted}", value)
    if dotted.startswith("options"):
        values["models"]["a"]["provider"] = "transformers"
    if dotted == "system":
        values["models"]["a"]["endpoint"] = "chat"
    if dotted == "revision":
        values["models"]["a"]["base_url"] = "http://h/v1"
    load_config(overrides=values)


def test_an_address_of_the_environment_with_a_key_in_its_path_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://h/{KEY}/v1")
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL must not hold a key") as error:
        load_config(overrides=values_with("seed", 1))
    assert KEY not in str(error.value)


def test_a_config_that_is_made_in_python_is_looked_at_as_well() -> None:
    with pytest.raises(ValueError, match="holds a key itself"):
        ModelSection(model="m", base_url="http://h/v1", system=KEY)
    with pytest.raises(ValueError, match="holds a key itself"):
        Config.model_validate(values_with("models.a.options.x", KEY))


def test_the_config_of_a_run_that_is_there_is_read_whatever_stands_in_it(tmp_path: Path) -> None:
    values = values_with("models.a.options.note", KEY)
    values["models"]["a"] |= {"provider": "transformers", "license": "mit"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ConfigError, match="holds a key itself"):
        load_config(tmp_path / "config.yaml")
    (tmp_path / "run.db").touch()
    assert load_config(tmp_path / "config.yaml").models["a"].options == {"note": KEY}
    with pytest.raises(ConfigError, match="holds a key itself"):
        load_config(tmp_path / "config.yaml", overrides=["seed=3"])
