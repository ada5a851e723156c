"""What the README and the pages of docs/ show: links lead somewhere, commands run, keys are those of the schema."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
import yaml

from ensemble_instruct.cli import main
from ensemble_instruct.export.formats import FILE_FORMATS, TABLE_ROWS, file_format, table_format
from ensemble_instruct.store.database import connect
from tests.conftest import ROOT, SIMULATED, rows
from tests.support.forks import Forks

sys.path.insert(0, str(ROOT / "docs" / "_ext"))
import from_source

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
PAGES = [path for path in PAGES if "_build" not in path.parts]
SOURCES = [path for folder in ("src", "tools", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
COMMAND = re.compile(r"(?:\.venv/bin/)?ensemble-instruct\s")
NOT_RUN = ("init", "view")
"""Commands whose examples are only read: the first would write over the config, the second goes on for ever."""


class Block(NamedTuple):
    """One block of code on a page, without what it is indented by."""

    page: Path
    language: str
    text: str
    is_run: bool

    @property
    def commands(self) -> Iterator[list[str]]:
        """The arguments of each of our commands; a line may go on after a backslash."""
        for line in self.text.replace("\\\n", " ").splitlines():
            if COMMAND.match(line):
                yield shlex.split(line, comments=True)[1:]


def name_of(page: Path) -> str:
    """How a page is called in the names of tests."""
    return page.relative_to(ROOT).as_posix()


@cache
def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page; `<!-- not run: WHY -->` before one says that it needs what a test has not."""
    pattern = r"^( *)(<!-- not run: .+? -->\n+ *)?```(\w+)\n(.*?)^\1```$"
    return [
        Block(page, found[3], "\n".join(line.removeprefix(found[1]) for line in found[4].split("\n")), not found[2])
        for found in re.finditer(pattern, page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    ]


def all_blocks(language: str) -> list[Block]:
    """Those of all pages in one language."""
    return [block for page in PAGES for block in blocks(page) if block.language == language]


@cache
def places(page: Path) -> set[str]:
    """What a link into a page can name: its headings as GitHub and Sphinx spell them, and the keys of the config."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    if "@@config@@" in text:
        made = from_source.config_reference()
        headings += re.findall(r"^#+ (.+)$", made, re.MULTILINE)
        headings += re.findall(r"\{#([^}]+)\}", made)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, place = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not place or place in places(target), link


@pytest.mark.parametrize("page", [page for page in PAGES if page.name == "index.md"], ids=name_of)
def test_every_page_of_a_section_is_in_its_table_of_contents(page: Path) -> None:
    listed = re.findall(r"```\{toctree\}\n:hidden:\n\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[0].split()
    assert {(page.parent / f"{entry}.md").resolve() for entry in listed} >= {
        path for path in page.parent.glob("*.md") if path.name != "index.md" and page.parent != DOCS
    }
    assert all((page.parent / f"{entry}.md").exists() for entry in listed)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_of_the_docs_that_the_source_names_is_there(page: Path) -> None:
    named = {path for source in SOURCES for path in re.findall(r"docs/[\w/-]+\.md", source.read_text(encoding="utf-8"))}
    assert all((ROOT / path).exists() for path in named), named


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_module_that_a_page_names_is_there(page: Path) -> None:
    package = ROOT / "src" / "ensemble_instruct"
    text = page.read_text(encoding="utf-8")
    rooms = "|".join(path.name for path in package.iterdir() if (path / "__init__.py").exists())
    named = set(re.findall(rf"`((?:{rooms})/[a-z\d_/]+)(?:\.py)?`", text))
    if page.name == "CHANGELOG.md":
        new = "".join(line.split("|")[-2] for line in text.splitlines() if line.startswith("|"))
        named |= {name.replace(".", "/") for name in re.findall(rf"`((?:{rooms})(?:\.\w+)+)`", new)}
        assert len(named) > 50
    assert not {name for name in named if not (package / name).is_dir() and not (package / f"{name}.py").exists()}


def test_the_readme_is_read_in_three_minutes() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) < 620


def section(page: Path, heading: str) -> str:
    """What is under a heading, up to the next one of its level."""
    text = page.read_text(encoding="utf-8")
    level, _ = heading.split(" ", 1)
    return text.split(f"\n{heading}\n")[1].split(f"\n{level} ")[0]


def test_every_table_and_column_of_a_run_is_described(tmp_path: Path) -> None:
    described = section(DOCS / "reference" / "files.md", "## `run.db`")
    with closing(connect(tmp_path / "run.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert len(tables) > 8
        for table in tables:
            names = {table, *(row[1] for row in database.execute(f"PRAGMA table_info({table})"))}
            assert not {name for name in names if f"`{name}`" not in described}, table


@pytest.mark.slow
def test_every_field_of_the_examples_and_every_file_of_a_run_is_described(workshop: Path) -> None:
    page = DOCS / "reference" / "files.md"
    described, (row, *_) = section(page, "## `examples.jsonl`"), rows(workshop / "my-run" / "examples.jsonl")
    fields = [*row, *(f"candidates[].{name}" for candidate in row["candidates"] for name in candidate)]
    assert not {name for name in fields if f"`{name}`" not in described}
    folder = section(page, "## The run folder")
    assert not {path.name for path in (workshop / "my-run").iterdir() if f"`{path.name}`" not in folder}


@pytest.mark.parametrize("name", sorted({*FILE_FORMATS, *TABLE_ROWS, "candidates"}))
def test_every_format_and_its_columns_are_described(name: str) -> None:
    described = section(DOCS / "reference" / "files.md", "## Exports")
    columns = (file_format(name) if name in FILE_FORMATS else table_format(name)).columns
    assert not {column for column in (name, *columns) if f"`{column}`" not in described and column != "examples"}


def test_every_key_of_an_example_is_one_of_the_config() -> None:
    known = {key.path for key in from_source.config_keys()}
    chosen = {"ensemble.utility", "outputs.samples"}
    chosen |= {f"models.NAME.{key}" for key in ("options", "extra_body", "headers", "query")}

    def keys(values: Any, prefix: str = "") -> Iterator[str]:
        for name, value in values.items() if isinstance(values, dict) else ():
            path = "models.NAME" if prefix == "models." else prefix + name
            yield path
            if path not in chosen:
                yield from keys(value, f"{path}.")

    examples = all_blocks("yaml")
    assert len(examples) > 5
    for example in examples:
        assert set(keys(yaml.safe_load(example.text))) - {"models.NAME"} <= known, example


def test_every_command_of_a_page_exists_with_its_options() -> None:
    examples = [(block, words) for block in all_blocks("sh") for words in block.commands]
    assert len(examples) > 50
    for block, (name, *arguments) in examples:
        command = main.commands.get(name)
        assert command is not None, f"{block.page}: {name}"
        context = click.Context(command, info_name=name)
        try:
            values, _, _ = command.make_parser(context).parse_args(list(arguments))
        except click.UsageError as error:
            pytest.fail(f"{block.page}: {name} {arguments}: {error.format_message()}")
        missing = [option.name for option in command.params if option.required and not values.get(option.name or "")]
        assert not missing, f"{block.page}: {name} {arguments}: without {missing}"


@pytest.fixture(scope="session")
def workshop(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the examples name: a config, its finished run, and datasets."""
    folder = tmp_path_factory.mktemp("workshop")
    config = Path(SIMULATED).read_text(encoding="utf-8")
    for simulated, ours in (("base", "base"), ("a", "qwen"), ("b", "granite")):
        config = config.replace(f"simulated-{simulated}", ours)
    (folder / "my.yaml").write_text(config, encoding="utf-8")
    done = forks.run(folder, ["run", "my.yaml", "--out", "my-run"])
    assert done.returncode == 0, done.stderr
    for name in ("other-run", "run-a", "run-b", "run-c", "demo-run"):
        shutil.copytree(folder / "my-run", folder / name)
    examples = (folder / "my-run" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    shutil.copy(folder / "my-run" / "examples.jsonl", folder / "examples.jsonl")
    instances = [{name: json.loads(line)[name] for name in ("instruction", "input", "output")} for line in examples]
    texts = [{"prompt": instance["instruction"]} for instance in instances]
    voters = ("small", "medium", "large", "old", "new")
    tasks = [
        {"instruction": "Name a colour.", "input": "", "reference": "red", "outputs": dict.fromkeys(voters, word)}
        for word in ("red", "blue", "a dark red")
    ]
    of_steps = (("instances", instances), ("qwen", instances), ("tasks", tasks))
    for name, objects in (*of_steps, ("data", texts), ("evaluation", texts[:1]), ("gsm8k", texts[:1])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in objects), encoding="utf-8")
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, objects in (("data", texts), ("mmlu", texts[:1])):
        pq.write_table(pa.Table.from_pylist(objects), folder / f"{name}.parquet")
    return folder


@pytest.mark.slow
def test_a_preview_is_shown_as_it_prints(workshop: Path, forks: Forks) -> None:
    shown = re.findall(r"<!-- preview -->\n```text\n(.*?)```", (DOCS / "guide" / "runs.md").read_text(), re.DOTALL)
    assert len(shown) > 1
    printed = forks.run(workshop, ["preview", "my.yaml", "--rows", "1"]).stdout
    assert [block for block in shown if block not in printed] == []


def pages_to_run() -> list[Path]:
    """The pages with commands that need nothing that a test has not."""
    return [page for page in PAGES if any(list(block.commands) and block.is_run for block in blocks(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_to_run(), ids=name_of)
def test_the_commands_of_a_page_run_one_after_the_other(
    page: Path, workshop: Path, forks: Forks, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(workshop, folder)
    for block in blocks(page):
        for arguments in block.commands if block.is_run else ():
            if arguments[0] in NOT_RUN:
                continue
            done = forks.run(folder, arguments)
            assert done.returncode == 0, f"{shlex.join(arguments)}: {done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [block for block in all_blocks("python") if block.is_run], ids=lambda block: name_of(block.page)
)
def test_a_python_example_runs(block: Block, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(workshop, tmp_path / "folder")
    monkeypatch.chdir(tmp_path / "folder")
    exec(compile(block.text, str(block.page), "exec"), {"__name__": "example"})
