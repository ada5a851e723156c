"""A run whose voters are unlike each other: a strong one, its copy, a weaker one, and one that runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

SCRIPT = """
import random, re, zlib

def words(number, salt, different, count):
    "So many words, of so many different ones of the 60 that there are to say of a task."
    draw = random.Random(f"{number} {salt}")
    return " ".join(draw.choices(draw.sample([f"word{number}x{n}" for n in range(60)], different), k=count))

def base(request):
    number = zlib.crc32(request.prompt.encode() + str(request.sampling.seed).encode()) % 10**6
    if request.step == "instructions":
        return f" Tell of number {number} to " + " ".join(f"friend{number * n % 99991}" for n in range(7, 25, 3))
    task = request.prompt.rpartition("instruction: ")[2]
    return "output: " + words(re.search("number ([0-9]+)", task)[1], "base", 28, 60)

def number_in(request):
    return re.search("number ([0-9]+)", request.prompt)[1]

def strong(request):
    return words(number_in(request), "strong", 38, 90)

def copy(request):
    return words(number_in(request), "strong", 38, 90) + " indeed"

def weaker(request):
    return words(number_in(request), "weaker", 28, 60)

def rambling(request):
    number = int(number_in(request))
    return words(number, "rambling", 28, 40) + " " + " ".join(f"thing{number * 31 % 1009}y{n}" for n in range(60))
"""
VOTERS = ("strong", "copy", "weaker", "rambling")
"""The models that answer."""


def config(folder: Path, rows: int = 40, **sections: Any) -> Path:
    """A config in a folder, with the script that it names: put the folder on the path of Python."""
    (folder / "unlike_voters_script.py").write_text(SCRIPT)
    models: dict[str, dict[str, Any]] = {
        name: {"provider": "scripted", "function": f"unlike_voters_script:{name}", "license": "MIT"}
        for name in ("base", *VOTERS)
    }
    models["weaker"]["weight"] = 0.5
    values = {
        "instructions": {"target": {"input_output": 0, "output_only": rows}, "window": 4},
        "models": models,
        "roles": {"instructions": "base", "instances": "base", "outputs": list(VOTERS)},
        "ensemble": {"min_confidence": 0.0},
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path
