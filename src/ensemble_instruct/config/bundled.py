"""What comes with the package: paths `bundled:NAME`, and the presets."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ensemble_instruct.errors import ConfigError

BUNDLED = "bundled:"
"""What a path begins with that names a file of this package."""


def bundled_path(path: Path) -> Path:
    """Where a file or folder lies: `bundled:NAME` is NAME in the data of this package, other paths stay."""
    if not str(path).startswith(BUNDLED):
        return path
    return Path(str(files("ensemble_instruct"))) / "data" / str(path).removeprefix(BUNDLED)


def is_users(path: Path | None) -> bool:
    """Whether a path is given and names a file of the user's own, not one of this package."""
    return path is not None and bundled_path(path) == path


def preset_names() -> list[str]:
    """The presets that `--preset` takes, in alphabetical order."""
    folder = files("ensemble_instruct") / "data" / "presets"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def preset_text(name: str) -> str:
    """The commented YAML of a preset; raises `ConfigError` for an unknown name."""
    if name not in preset_names():
        raise ConfigError(f"--preset {name}: no such preset; there are {', '.join(preset_names())}")
    return (files("ensemble_instruct") / "data" / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
