"""`croissant.json`: what a dataset is and which columns its files have, in JSON-LD (Croissant 1.0), for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ensemble_instruct.export.facts import CITATION, TAGS, Facts
from ensemble_instruct.export.layout import Column, Table

Node = dict[str, Any]
"""A node object of JSON-LD."""
_PARQUET = "application/x-parquet"
"""The media type of Parquet files."""
_TYPES = {"text": "sc:Text", "number": "sc:Float"}
"""The types of columns in the words of schema.org."""
_CR = (
    "citeAs", "column", "extract", "field", "fileProperty", "fileObject", "fileSet", "format", "includes", "jsonPath",
    "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "separator",
    "samplingRate", "source", "subField", "transform", "equivalentProperty",
)  # fmt: skip
"""Terms of Croissant that the context declares as its own."""
_CONTEXT: Node = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "isLiveDataset": "cr:isLiveDataset",
    **{name: f"cr:{name}" for name in _CR},
}


def croissant(facts: Facts) -> str:
    """The description as JSON. Files have their SHA-256 where they are written already."""
    fields: Node = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": facts.name,
        "description": facts.summary,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "license": list(facts.licence.links) or facts.licence.hub,
        "version": "1.0.0",
        "creator": _creator(facts.name),
        "keywords": list(TAGS),
        "inLanguage": list(facts.languages),
        "dateCreated": facts.days[0],
        "datePublished": facts.days[1],
        "citeAs": CITATION,
        "distribution": [part for table in facts.tables for part in _distribution(table)],
        "recordSet": [_record_set(table) for table in facts.tables],
    }
    return json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=False, indent=2) + "\n"


def _creator(name: str) -> Node | None:
    """Whose the dataset is, where its name tells."""
    owner, slash, _ = name.rpartition("/")
    return {"@type": "sc:Organization", "name": owner} if slash else None


def _file_set(table: Table) -> str:
    return f"{table.name}-files"


def _distribution(table: Table) -> Iterator[Node]:
    for file in (file for split in table.splits for file in split.files):
        yield {
            "@type": "cr:FileObject", "@id": file.path, "name": file.path, "contentUrl": file.path,
            "contentSize": f"{file.size} B", "encodingFormat": _PARQUET, "sha256": file.sha256,
        }  # fmt: skip
    name = _file_set(table)
    includes = f"{table.folder}/*.parquet"
    yield {"@type": "cr:FileSet", "@id": name, "name": name, "encodingFormat": _PARQUET, "includes": includes}


def _record_set(table: Table) -> Node:
    """The rows of a table, each with the split that its file is of."""
    path = f"{re.escape(table.folder)}/(\\w+)-.+"
    split = {
        "fileSet": {"@id": _file_set(table)},
        "extract": {"fileProperty": "fullpath"},
        "transform": {"regex": path},
    }
    fields = [_field(table, column, table.name) for column in table.columns if _is_described(column)]
    name = f"{table.name}/split"
    return {
        "@type": "cr:RecordSet", "@id": table.name, "name": table.name,
        "field": [{"@type": "cr:Field", "@id": name, "name": name, "dataType": "sc:Text", "source": split}, *fields],
    }  # fmt: skip


def _is_described(column: Column) -> bool:
    """Whether Croissant 1.0 has words for the column: it has no lists of lists."""
    return column.type in _TYPES or (column.type == "object" and all(map(_is_described, column.columns)))


def _field(table: Table, column: Column, under: str, holder: str = "") -> Node:
    """A column; objects in a list have columns of their own, each read by its path in the object.

    Those that are lists are left out: Croissant 1.0 has no lists of lists.
    """
    name = f"{under}/{column.name}"
    field: Node = {"@type": "cr:Field", "@id": name, "name": name}
    if column.is_list:
        field["repeated"] = True
    if column.columns:
        field["subField"] = [_field(table, inner, name, column.name) for inner in column.columns if not inner.is_list]
        return field
    source: Node = {"fileSet": {"@id": _file_set(table)}, "extract": {"column": holder or column.name}}
    if holder:
        source["transform"] = {"jsonPath": column.name}
    return field | {"dataType": _TYPES[column.type], "source": source}
