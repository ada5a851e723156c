"""What a folder of a model converted for CTranslate2 says of itself, without the library."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ensemble_instruct.errors import ConfigError
from ensemble_instruct.files.digest import SMALL_MODEL
from ensemble_instruct.models.clients.local.local import read_json

_NEEDED = ("model.bin", "config.json", "tokenizer.json")
"""Files without which a folder is not one of a converted model."""
_MOST_VARIABLES = 100_000
"""A header that names more is not one."""
_ENDLESS = 10**6
"""A length from which on a tokenizer's `model_max_length` means that there is no limit."""


@dataclass(frozen=True, slots=True)
class ConvertedModel:
    """A converted model."""

    folder: Path
    is_decoder: bool
    """Decoder-only; else it has an encoder too."""
    is_small: bool
    positions: int | None
    """How many positions its table has, where it has one."""
    end_tokens: tuple[str, ...]

    @property
    def context(self) -> int | None:
        """Most tokens of prompt and reply together, as far as the folder tells. An encoder's input has no limit."""
        if not self.is_decoder:
            return None
        length = read_json(self.folder / "tokenizer_config.json").get("model_max_length")
        limits = [self.positions, int(length) if isinstance(length, int | float) and length < _ENDLESS else None]
        return min((limit for limit in limits if limit), default=None)


def read_folder(name: str, folder: Path) -> ConvertedModel:
    """What the folder holds; raises `ConfigError` for one that holds no converted model."""
    missing = [each for each in _NEEDED if not (folder / each).is_file()]
    if missing:
        raise ConfigError(
            f"models.{name}.path: {folder} has no {', '.join(missing)}; convert a model into it with "
            f"ct2-transformers-converter --model M --output_dir {folder} --copy_files tokenizer.json"
        )
    path = folder / "model.bin"
    try:
        with path.open("rb") as file:
            spec, positions = _read_header(file)
    except (OSError, struct.error, UnicodeDecodeError) as error:
        raise ConfigError(f"models.{name}.path: {path} is no converted model; convert it again") from error
    if spec not in ("TransformerSpec", "TransformerDecoderSpec"):
        raise ConfigError(f"models.{name}.path: {path} holds a {spec}; only models that write text can answer")
    settings = read_json(folder / "config.json")
    for token in ("bos_token", "eos_token", "unk_token"):
        if token in settings and settings[token] is None:
            raise ConfigError(
                f"models.{name}.path: {folder / 'config.json'} has no {token}, which CTranslate2 refuses; "
                f"write the model's end token there (docs/guide/local-models.md)"
            )
    end = settings.get("eos_token")
    return ConvertedModel(
        folder, spec == "TransformerDecoderSpec", path.stat().st_size <= SMALL_MODEL, positions,
        (end,) if isinstance(end, str) else (),
    )  # fmt: skip


def _read_header(file: BinaryIO) -> tuple[str, int | None]:
    """The kind of model, and the length of its table of positions."""
    version = _number(file, "I")
    spec = _text(file)
    _number(file, "I")
    count = _number(file, "I")
    if not 2 <= version <= _ENDLESS or count > _MOST_VARIABLES:
        raise struct.error("no such version")
    for _ in range(count):
        name = _text(file)
        shape = [_number(file, "I") for _ in range(_number(file, "B"))]
        _number(file, "B")
        size = _number(file, "I")
        if name == "decoder/position_encodings/encodings" and len(shape) == 2:
            return spec, shape[0]
        file.seek(size, 1)  # over the weights, which may be gigabytes
    return spec, None


def _number(file: BinaryIO, form: str) -> int:
    (number,) = struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))
    return int(number)


def _text(file: BinaryIO) -> str:
    return file.read(_number(file, "H"))[:-1].decode()
