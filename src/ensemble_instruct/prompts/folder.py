"""All prompts of a run: those of a user's folder (`prompts`), and the bundled ones for the files that it lacks."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any, Literal

from ensemble_instruct.errors import ConfigError, InputFileError
from ensemble_instruct.files.atomic import FOR_ALL, FOR_OWNER, whole_file
from ensemble_instruct.prompts.labels import Labels, labels_of
from ensemble_instruct.prompts.templates import PromptTemplate
from ensemble_instruct.records import KINDS

FormName = Literal["completions", "chat"]
LABELS = "labels.yaml"
"""The file of the words that are no template."""
_FORMS: tuple[FormName, ...] = ("completions", "chat")
_TASK: Mapping[str, Any] = {"instruction": "Sort the words.", "input": "b\na"}
_SHOWN = ({**_TASK, "output": "a\nb"},)
_NAMES: Mapping[str, Mapping[str, Any]] = {
    "instructions": {"demonstrations": ("Name a river.",), "number": 2},
    "instances": {},
    "outputs": _TASK,
    "fusion": {**_TASK, "outputs": ("a b", "b a")},
    "verdict": {**_TASK, "one": "a b", "other": "b a"},
    "toxicity": {**_TASK, "output": "a b"},
    "rating": {**_TASK, "output": "a b", "reference": "b a", "reference_first": True},
}
"""What each template is given, as it may be, beside `kind` and `labels`."""
_OF_ONE_FORM: Mapping[str, Mapping[str, Any]] = {
    "completions/instances": {"demonstrations": _SHOWN, "instruction": "Sort the words."},
    "chat/instances": {"structured": True},
    "chat/instructions": {"more": 8, "structured": True},
}
"""What one is given in one form alone."""
_OTHERWISE: Mapping[str, tuple[Any, ...]] = {
    "input": ("",), "demonstrations": ((),), "structured": (False,), "reference_first": (False,), "kind": KINDS[1:],
}  # fmt: skip
"""What these names may be instead."""
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "completions/instances": ("instruction",),
    "outputs": ("instruction", "input"),
    "fusion": ("instruction", "outputs"),
    "verdict": ("one", "other"),
    "toxicity": ("output",),
    "rating": ("output", "reference"),
}
"""What a template must say, by its name with or without its form: else all its prompts would be the same."""
_TOO_LARGE = 4_000_000
"""Bytes of a file of prompts."""


def template_names() -> list[str]:
    """The templates that there are: `completions/instructions` and so on."""
    return [f"{form}/{name}" for form in _FORMS for name in _NAMES]


def _file_names() -> list[str]:
    """The files of a folder of prompts."""
    return [*(f"{name}.j2" for name in template_names()), LABELS]


@dataclass(frozen=True, slots=True)
class Prompts:
    """The templates by name, and the labels."""

    templates: Mapping[str, PromptTemplate]
    labels: Labels
    own: Mapping[str, str] = field(default_factory=dict)
    """The texts of a user's files, by their names within the folder."""

    def rendered(self, form: FormName, name: str, **values: Any) -> str:
        """The prompt of a form, as its template writes it."""
        labels = self.labels.headings if form == "chat" else self.labels.as_written
        return self.templates[f"{form}/{name}"].rendered({"labels": labels, **values})

    @property
    def digests(self) -> dict[str, str]:
        """What differs from the bundled prompts, by file name: a digest of it."""
        bundled = bundled_prompts()
        changed = {
            f"{name}.j2": template.text
            for name, template in self.templates.items()
            if template.text != bundled.templates[name].text
        }
        if self.labels != bundled.labels:
            changed[LABELS] = repr(self.labels)
        return {name: _digest(text) for name, text in changed.items()}


@cache
def bundled_prompts() -> Prompts:
    """Those that come with the package."""
    texts = dict(_bundled_texts())
    templates = {name: _template(name, texts[f"{name}.j2"], f"bundled {name}.j2") for name in template_names()}
    return Prompts(templates, labels_of(texts[LABELS], f"bundled {LABELS}"))


def load_prompts(folder: Path | None) -> Prompts:
    """The prompts of a folder, each tried with what it may be given; None: the bundled ones.

    Raises `ConfigError`, with file and line, for a template that cannot be used, and for a file that is none.
    """
    if folder is None:
        return bundled_prompts()
    if not folder.is_dir():
        raise ConfigError(f"prompts: {folder}: is no folder; `ensemble-instruct init --prompts {folder}` writes one")
    return _prompts_of(tuple((name, _text(folder / name, folder)) for name in _files_of(folder)), str(folder))


@lru_cache(maxsize=4)
def _prompts_of(files_of_folder: tuple[tuple[str, str], ...], folder: str) -> Prompts:
    """The prompts with these files of a user's own, by name; `folder` names it in errors."""
    own = dict(files_of_folder)
    bundled = bundled_prompts()
    templates = dict(bundled.templates)
    for name, text in own.items():
        place = f"{folder}/{name}"
        if name != LABELS:
            templates[name.removesuffix(".j2")] = _template(name.removesuffix(".j2"), text, place)
    labels = labels_of(own[LABELS], f"{folder}/{LABELS}", bundled.labels) if LABELS in own else bundled.labels
    prompts = Prompts(templates, labels, own)
    for name in own:
        if name != LABELS:
            _try(prompts, name.removesuffix(".j2"), f"{folder}/{name}")
    return prompts


def write_prompts(folder: Path) -> list[str]:
    """Write the bundled prompts into a new folder; returns the names of the files.

    Raises `InputFileError` where there is something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputFileError(f"{folder}: exists already and is not an empty folder; name a new one")
    texts = dict(_bundled_texts())
    _write(texts, folder)
    return list(texts)


def copy_prompts(prompts: Prompts, folder: Path) -> None:
    """Write a user's own files into the folder of a run, in place of those that lie there."""
    for name in _file_names():
        if name not in prompts.own:
            (folder / name).unlink(missing_ok=True)
    _write(prompts.own, folder, for_owner=True)


def _write(texts: Mapping[str, str], folder: Path, *, for_owner: bool = False) -> None:
    mode = 0o700 if for_owner else 0o777
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        for name in texts:
            (folder / name).parent.mkdir(mode, exist_ok=True)
    except OSError as error:
        raise InputFileError(f"{folder}: cannot be created: {error.strerror}; choose another place") from error
    for name, text in texts.items():
        with whole_file(folder / name, FOR_OWNER if for_owner else FOR_ALL) as file:
            file.write(text.encode())


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _bundled_texts() -> Iterator[tuple[str, str]]:
    root = files("ensemble_instruct.prompts") / "templates"
    for name in _file_names():
        yield name, (root / name).read_text(encoding="utf-8")


def _template(name: str, text: str, place: str) -> PromptTemplate:
    return PromptTemplate(text, place, {"kind", "labels", *_values_of(name)})


def _values_of(name: str) -> dict[str, Any]:
    return {"kind": KINDS[0], **_NAMES[name.partition("/")[2]], **_OF_ONE_FORM.get(name, {})}


def _try(prompts: Prompts, name: str, place: str) -> None:
    """Render a template with all that its names may be; raises `ConfigError` where that fails or gives nothing."""
    form: FormName = "chat" if name.startswith("chat/") else "completions"
    title, values = name.partition("/")[2], _values_of(name)
    others = [(value, *_OTHERWISE.get(key, ())) for key, value in values.items()]
    for chosen in product(*others):
        if not prompts.rendered(form, title, **dict(zip(values, chosen, strict=True))).strip():
            raise ConfigError(f"{place}: writes nothing; write what the model is asked")
    written = prompts.rendered(form, title, **values)
    for key in _NEEDED.get(name, _NEEDED.get(title, ())):
        other = ("c",) if isinstance(values[key], tuple) else "c"
        if prompts.rendered(form, title, **{**values, key: other}) == written:
            raise ConfigError(f"{place}: says nothing of '{key}'; write {{{{ {key} }}}} where it belongs")


def _files_of(folder: Path) -> Iterator[str]:
    """The names of the prompts in a folder; raises `ConfigError` for a file that is none of them."""
    known = _file_names()
    for path in _found(folder):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or name.endswith("~"):
            continue  # of an editor, or of a version control
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ConfigError(f"{path}: is no prompt; did you mean '{near}'? `init --prompts` writes all there are")
        yield name


def _found(folder: Path) -> Iterator[Path]:
    """The files in a folder, lazily: it may be a large one of something else."""

    def refuse(error: OSError) -> None:
        raise ConfigError(f"prompts: {error.filename}: cannot be read: {error.strerror}; check its permissions")

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            yield Path(place, name)


def _text(path: Path, folder: Path) -> str:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{path}: is a link that leads out of the folder; put the file itself there")
    if not path.is_file():
        raise ConfigError(f"{path}: is no regular file; write a text file")
    try:
        if path.stat().st_size > _TOO_LARGE:
            raise ConfigError(f"{path}: is larger than {_TOO_LARGE} bytes, which is no prompt")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; check its permissions") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from error
