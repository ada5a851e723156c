"""Turn a trained model into a CTranslate2 folder with int8 weights, as it ships.

python -m tools.embedded_models.convert tiny-base [--from build/embedded-models] [--to src/.../data/models]
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from tools.embedded_models.shapes import BUILD, SHAPES, SHIPPED


def convert(trained: Path, folder: Path) -> None:
    """Write `model.bin`, `config.json`, the vocabulary, `tokenizer.json` and what the training was."""
    from ctranslate2.converters import TransformersConverter

    card = folder / "README.md"
    kept = card.read_text(encoding="utf-8") if card.is_file() else None
    TransformersConverter(str(trained)).convert(str(folder), quantization="int8", force=True)
    for name in ("tokenizer.json", "training.json"):
        if (trained / name).is_file():
            shutil.copy(trained / name, folder / name)
    if kept is not None:
        card.write_text(kept, encoding="utf-8")


def main() -> None:
    """Read the arguments and convert."""
    parser = argparse.ArgumentParser(description="Convert trained models to CTranslate2 int8 folders.")
    parser.add_argument("names", nargs="*", default=list(SHAPES))
    parser.add_argument("--from", dest="source", type=Path, default=BUILD)
    parser.add_argument("--to", type=Path, default=SHIPPED)
    options = parser.parse_args()
    for name in options.names:
        convert(options.source / name, options.to / name)


if __name__ == "__main__":
    main()
