"""A folder of prompts: written with comments, read again, and refused where something in it is none."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest

from ensemble_instruct.errors import ConfigError, InputFileError
from ensemble_instruct.prompts.folder import bundled_prompts, copy_prompts, load_prompts, template_names, write_prompts
from ensemble_instruct.prompts.forms import ChatForm, CompletionsForm, Form, form_of
from ensemble_instruct.records import KINDS
from tests.prompts.test_forms import ALONE, WITH_INPUT, demonstrations, requests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_prompts(tmp_path / "prompts")
    return tmp_path / "prompts"


def test_the_bundled_prompts_written_out_ask_the_same(folder: Path) -> None:
    prompts = load_prompts(folder)
    forms: list[tuple[Form, Form]] = [
        (CompletionsForm("default", prompts), CompletionsForm("default")),
        (ChatForm(prompts=prompts), ChatForm()),
        (ChatForm(is_structured=True, prompts=prompts), ChatForm(is_structured=True)),
    ]
    for (own, bundled), instance in product(forms, (WITH_INPUT, ALONE)):
        assert requests(own, instance) == requests(bundled, instance)
    assert load_prompts(folder).digests == {}


def test_each_file_says_which_names_there_are(folder: Path) -> None:
    for name in template_names():
        text = (folder / f"{name}.j2").read_text()
        assert text.startswith("{# ")
        assert "Names: " in text
    assert (folder / "labels.yaml").read_text().startswith("# ")


def test_a_file_that_is_missing_is_the_bundled_one(folder: Path) -> None:
    for path in folder.rglob("*.j2"):
        if path.name != "outputs.j2":
            path.unlink()
    (folder / "labels.yaml").unlink()
    (folder / "chat" / "outputs.j2").write_text("Bitte: {{ instruction }}\n{{ input }}\n")
    prompts = load_prompts(folder)
    assert form_of("chat", "default", prompts).outputs(WITH_INPUT).prompt == "Bitte: Sort the words.\ntwo\none"
    changed, bundled = (requests(form_of("chat", "default", each), ALONE) for each in (prompts, bundled_prompts()))
    assert {name for name in changed if changed[name] != bundled[name]} == {"outputs", "samples"}
    assert list(prompts.digests) == ["chat/outputs.j2"]


def test_a_comment_changes_nothing(folder: Path) -> None:
    path = folder / "completions" / "outputs.j2"
    path.write_text("{# a note of mine #}\n" + path.read_text())
    assert load_prompts(folder).digests == {}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("chat/output.j2", "x", r"output\.j2: is no prompt; did you mean 'chat/outputs\.j2'"),
        ("outputs.j2", "x", r"outputs\.j2: is no prompt; did you mean '(chat|completions)/outputs\.j2'"),
        ("chat/outputs.j2", "\n{{ demonstrations }}", r"outputs\.j2:2: 'demonstrations' is no name here"),
        ("chat/outputs.j2", "\n{% if %}", r"outputs\.j2:2: "),
        ("chat/outputs.j2", "{% if input %}x{% endif %}", r"outputs\.j2: writes nothing"),
        ("chat/outputs.j2", "{{ instruction }}", r"outputs\.j2: says nothing of 'input'; write \{\{ input \}\} where"),
        ("completions/instances.j2", "Work it out.", r"instances\.j2: says nothing of 'instruction'"),
        ("chat/verdict.j2", "{{ one }}{{ instruction }}", r"verdict\.j2: says nothing of 'other'"),
        ("chat/fusion.j2", "{{ instruction }}", r"fusion\.j2: says nothing of 'outputs'"),
        ("chat/outputs.j2", b"\xff", r"outputs\.j2: is not UTF-8"),
        ("chat/instructions.j2", "{{ demonstrations[0] }}", r"instructions\.j2:1: "),
        ("completions/instances.j2", "{{ demonstrations[0].outptu }}", r"instances\.j2:1: "),
        ("labels.yaml", "input: Eingabe", r"labels\.yaml:1: input: a label is a word with a colon"),
        ("labels.yaml", "\ninput: 3", r"labels\.yaml:2: input: a label is a word with a colon"),
        ("labels.yaml", "inptu: 'x:'", r"labels\.yaml:1: inptu: unknown key; did you mean 'input'"),
        ("labels.yaml", "input: 'output:'", r"labels\.yaml: two of instruction, input and output have the same label"),
        ("labels.yaml", 'input: "a:"\ninput: "b:"', r"labels\.yaml:2: input: stands already in line 1"),
        ("labels.yaml", "no: 1", r'labels\.yaml:1: no: the key is read as false; quote it: "no"'),
        ("labels.yaml", "stop_instances: []", r"labels\.yaml:1: stop_instances: expected a list of texts"),
        ("labels.yaml", "- x", r"labels\.yaml: expected keys and values"),
        ("labels.yaml", "a: [", r"labels\.yaml:\d: not YAML"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_one_line(folder: Path, name: str, text: str | bytes, why: str) -> None:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=rf"^[^\n]*{why}[^\n]*$"):
        load_prompts(folder)


def test_what_an_editor_leaves_is_no_prompt(folder: Path) -> None:
    (folder / ".git").mkdir()
    for name in (".git/HEAD", "chat/.outputs.j2.swp", "chat/outputs.j2~"):
        (folder / name).write_text("{% if %}")
    assert load_prompts(folder).digests == {}


def test_a_link_out_of_the_folder_is_not_followed(folder: Path) -> None:
    path = folder / "chat" / "outputs.j2"
    (folder.parent / "secret").write_text("{{ instruction }}{{ input }} a secret")
    path.unlink()
    path.symlink_to(folder.parent / "secret")
    with pytest.raises(ConfigError, match=r"outputs\.j2: is a link that leads out of the folder"):
        load_prompts(folder)
    path.unlink()
    path.symlink_to("../completions/outputs.j2")
    assert "chat/outputs.j2" in load_prompts(folder).own
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ConfigError, match=r"outputs\.j2: is no regular file"):
        load_prompts(folder)


def test_a_folder_that_is_none_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder; `ensemble-instruct init --prompts"):
        load_prompts(tmp_path / "nowhere")


def test_what_is_there_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(InputFileError, match="exists already"):
        write_prompts(folder)


def test_a_copy_holds_the_own_files_and_no_others(folder: Path, tmp_path: Path) -> None:
    (folder / "chat" / "fusion.j2").write_text("Eine Antwort: {{ instruction }} {{ outputs | join }}")
    copy_prompts(load_prompts(folder), tmp_path / "copy")
    (folder / "labels.yaml").unlink()
    copy_prompts(load_prompts(folder), tmp_path / "copy")
    assert load_prompts(tmp_path / "copy").own == load_prompts(folder).own


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_ones_own_stand_in_every_form_and_end_a_reply(folder: Path, kind: str) -> None:
    (folder / "labels.yaml").write_text("instruction: 'aufgabe:'\ninput: 'eingabe:'\noutput: 'ausgabe:'\n")
    prompts = load_prompts(folder)
    forms: tuple[Form, Form] = (CompletionsForm("default", prompts), ChatForm(prompts=prompts))
    for form in forms:
        instance = WITH_INPUT if kind == "input_output" else ALONE
        request = form.instances(instance.kind, demonstrations(instance.kind)).request("Zähle.", 7)
        assert "utput:" not in request.text
        assert ("ingabe:" in request.text) == (kind == "input_output")
        assert "usgabe:" in request.text
        assert request.sampling.stop == (("\n\naufgabe:",) if form is forms[0] else ())
