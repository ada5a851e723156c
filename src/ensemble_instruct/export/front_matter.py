"""What tells a reader of a dataset which of its files belong together: a part of the front matter of `README.md`.

It has the sizes too. `datasets` keeps what it has loaded, and of a folder with such a declaration looks at nothing else
to see whether it is the same: without them, a folder of that name that was loaded once would be loaded for ever.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensemble_instruct.export.exporter import Exported
from ensemble_instruct.export.facts import TAGS, Facts
from ensemble_instruct.export.layout import Table, lines_table, read_tables
from ensemble_instruct.licences.policy import LICENCE_FILE

_KNOWN = {"train", "validation", "test"}
"""Names by which `datasets` tells files of JSON lines apart without a declaration."""


def declaration(tables: Sequence[Table]) -> dict[str, Any]:
    """`configs`, the first table as the default, and `dataset_info` where the files are written already."""
    configs = [
        {
            "config_name": table.name,
            **({"default": True} if place == 0 else {}),
            "data_files": [{"split": split.name, "path": table.pattern(split)} for split in table.splits],
        }
        for place, table in enumerate(tables)
    ]
    if not all(split.files for table in tables for split in table.splits):
        return {"configs": configs}
    return {"configs": configs, "dataset_info": [table.sizes for table in tables]}


def declared(_run: Path, folder: Path, exported: Exported) -> dict[str, str]:
    """`README.md` of a folder that `datasets` would not load as what it is, or nothing."""
    import yaml

    rows = {split.name: split.rows for split in exported.main.splits}
    if (folder / "data").is_dir():
        tables = read_tables(folder) if len(exported.tables) > 1 else ()
    else:
        tables = () if rows.keys() <= _KNOWN else (lines_table(folder, rows),)
    if not tables:
        return {}
    return {"README.md": f"---\n{yaml.safe_dump(declaration(tables), sort_keys=False)}---\n"}


_SIZES = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"), (10**9, "100M<n<1B"),
)  # fmt: skip
"""The Hub's classes of size: rows below the number are of that class."""


def front_matter(facts: Facts) -> dict[str, Any]:
    """What the Hub reads of a card."""
    licence = facts.licence
    values: dict[str, Any] = {"pretty_name": plain_line(facts.title), "license": licence.hub}
    if licence.name:
        values |= {"license_name": licence.name, "license_link": LICENCE_FILE}
    if languages := facts.languages:
        values["language"] = list(languages)
    return values | {
        "task_categories": ["text-generation"],
        "size_categories": [next((name for end, name in _SIZES if facts.rows < end), "1B<n<10B")],
        "tags": list(TAGS),
        **declaration(facts.tables),
    }


def yaml_text(values: Mapping[str, Any]) -> str:
    """The values as YAML, in their order."""
    import yaml

    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)


def plain_line(text: str) -> str:
    """The text on one line, without characters that control how it is shown."""
    seen = "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in text)
    return " ".join(seen.split())
