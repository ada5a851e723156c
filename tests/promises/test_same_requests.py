"""Base models, and the profile `published`, are asked with the bytes that the first version sent."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.forks import Forks
from tests.support.good_input import write
from tests.support.servers.reply import Served, prompt_of, said, serving

THINGS = (
    "harbour", "bridge", "violin", "bakery", "lantern", "comet", "orchard", "glacier", "anvil", "compass", "tunnel",
    "meadow",
)  # fmt: skip
ACTS = (
    "describe", "praise", "compare", "explain", "defend", "remember", "imagine", "question", "sketch", "outline",
    "weigh", "retell",
)  # fmt: skip
PLACES = ("island", "city", "forest", "desert", "village", "valley", "castle", "market", "river", "school")
ALL = {"base", "first", "second"}
WANTED = {
    "over completions": "87e83e687570787cd6c9e46085763de016e9638d2b72b88be7752c7c2e0452ce",
    "published over completions": "e1cbb904e907d047d352c5d2bad37455cee8066c3eefb13fd6a649f56d71c782",
    "published over chat": "692c8b571ff6ea115e64b72f440113efd17e7de7c9901a8a664db5a0bffd4cd8",
}
"""SHA-256 of the bodies, sorted, a line each, that version 0.1.0 sent before chat models had a form of their own."""


def base_like(body: dict[str, Any], _: int) -> web.Response:
    """What a base model says: it goes on with the text, sometimes beyond what was asked, and in step 4 it answers."""
    prompt = prompt_of(body)
    number = zlib.crc32(f"{prompt}{body.get('seed')}".encode())
    if prompt.startswith("Come up with a series of tasks:\n"):
        last = int(prompt.rpartition("\n")[2].rstrip("."))
        items = [f" {stated(number)}", f"\n{last + 1}. {stated(number // 7)}"]
        return said("".join(items[: 1 + number % 2]))
    if "\ninstruction: " in prompt:
        task_input = f"input: the {THINGS[number % 12]} of {number}\n" if "\ninput: " in prompt else ""
        further = f"\n\ninstruction: {stated(number // 5)}\n{task_input}output: The other {number}." * (number % 3 == 0)
        return said(f"{task_input}output: It is the answer {number}.\n\nAnd more of it.{further}")
    if prompt.endswith("Reply:"):
        return said(" safe" if "toxic" in prompt else " partly")
    shown = re.sub(r"\d", "", prompt)
    return said(f"It is the answer {zlib.crc32(shown.encode()) % 1000}, as {body['model']} would say.")


def stated(number: int) -> str:
    thing, act, place = THINGS[number % 12], ACTS[number // 12 % 12], PLACES[number // 144 % 10]
    return f"{act.capitalize()} the {thing} near a {place} to {ACTS[number // 5 % 12]} {THINGS[number // 11 % 12]}."


def config(base_url: str, folder: Path, endpoint: str, profile: str) -> str:
    """Every step, and all that is asked after step 4, over tasks that never change."""
    seeds = []
    for number in range(12):
        task_input = f"old {number}" if number % 2 else ""
        seeds.append({
            "id": f"seed_{number}", "name": f"n{number}", "instruction": f"{ACTS[number]}  my {THINGS[number]}:",
            "instances": [{"input": task_input, "output": "new"}], "is_classification": False,
        })  # fmt: skip
    write(folder / "seeds.jsonl", *seeds)
    shown = [
        {"instruction": f"Turn {name}.", "input": f"{name}\nhere", "output": f"{name}\n\nthere"} for name in PLACES
    ]
    write(folder / "with_input.jsonl", *shown)
    write(folder / "alone.jsonl", *({"instruction": row["instruction"], "output": row["output"]} for row in shown))
    asked_after = {
        "ensemble": {"strategy": "balanced", "utility": {"judge": 1, "rouge-l": 1}, "fusion": True},
        "quality": {"toxicity": {"model": "second"}},
        "outputs": {"samples": {"second": 2}},
    }
    models = {name: {"base_url": base_url, "model": name, "endpoint": endpoint} for name in ALL}
    return json.dumps({
        "profile": profile,
        "seed_tasks": str(folder / "seeds.jsonl"),
        "instructions": {
            "target": {"input_output": 4, "output_only": 4}, "demonstrations": {"input_output": 5, "output_only": 4},
            "machine_demonstrations": 2, "window": 3,
        },
        "instances": {"demonstrations": {
            "input_output": str(folder / "with_input.jsonl"), "output_only": str(folder / "alone.jsonl"),
        }},
        "models": models,
        "roles": {
            "instructions": "base", "instances": "base", "outputs": ["first", "second"],
            **({"judge": "first", "fusion": "base"} if profile == "default" else {}),
        },
        **(asked_after if profile == "default" else {}),
        "licenses": {"policy": "any"},
    })  # fmt: skip


def digest(served: Served) -> str:
    return hashlib.sha256(b"\n".join(sorted(served.raw_bodies))).hexdigest()


@pytest.mark.parametrize("case", WANTED)
def test_the_requests_of_a_run_are_the_same_bytes_as_ever(forks: Forks, tmp_path: Path, case: str) -> None:
    profile = "published" if "published" in case else "default"
    endpoint = "chat" if "chat" in case else "completions"
    with serving(base_like) as served:
        (tmp_path / "config.yaml").write_text(config(served.base_url, tmp_path, endpoint, profile))
        done = forks.run(tmp_path, ["run", "config.yaml", "--out", "run"])
    assert done.returncode == 0, done.stderr
    assert {body["model"] for body in served.bodies} == ALL
    assert {path for path in served.paths if path.endswith("completions")} == {
        "/v1/chat/completions" if endpoint == "chat" else "/v1/completions"
    }
    if endpoint == "chat":
        assert all([message["role"] for message in body["messages"]] == ["user"] for body in served.bodies)
    assert digest(served) == WANTED[case]
