# ruff: noqa: RUF001 - marks of other scripts
"""Seed tasks in another language give a run in that language, from the prompt to the card."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ensemble_instruct.prompts.folder import write_prompts
from tests.conftest import rows
from tests.support.card_text import front
from tests.support.finished import stored
from tests.support.forks import Forks
from tests.support.good_input import write
from tests.support.servers.reply import prompt_of, said, serving

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language: how its tasks, inputs and answers are put, and what the labels of step 2 are called."""

    code: str
    labels: tuple[str, str, str]
    number: str
    """How a list is numbered."""
    heading: str
    """What a prompt of step 1 begins with."""
    tasks: tuple[str, ...]
    """With a place for a thing and one for a number."""
    things: tuple[str, ...]
    answer: str


GERMAN = Tongue(
    code="de",
    labels=("Aufgabe:", "Eingabe:", "Ausgabe:"),
    number="{}.",
    heading="Denke dir eine Reihe von Aufgaben aus:",
    tasks=(
        "Erkläre einem Kind, warum {} so wichtig ist, und nenne {} Gründe dafür.",
        "Schreibe einen kurzen Brief über {} an die Nachbarn, höchstens {} Sätze lang.",
        "Nenne {1} Fragen, die man über {0} stellen kann.",
        "Überlege, wie man {} in {} Tagen lernt.",
        "Fasse zusammen, was man über {} wissen muss; {} Wörter genügen.",
        "Wofür braucht man {}? Antworte mit {} Beispielen.",
        "Vergleiche {} von heute mit dem vor {} Jahren.",
    ),
    things=(
        *("das Brot", "den Frühling", "die Brücke", "das Uhrwerk", "den Fußball", "die Geige"),
        *("den Wald", "das Geld", "die Post", "das Märchen", "den Süden", "die Oper"),
    ),
    answer="Das ist die Antwort auf die Frage mit der Zahl {}, und sie ist nicht lang.",
)
CHINESE = Tongue(
    code="zh",
    labels=("任务：", "输入：", "输出："),
    number="{}、",
    heading="请想出一系列任务：",
    tasks=(
        "写一首关于{}的诗，共{}行。",
        "用{1}句话说明{0}的历史。",
        "为什么{}很重要？请给出{}个理由。",
        "列出{1}个与{0}有关的问题。",
        "“{}”是什么意思？请用{}个例子解释。",
        "比较现在的{}和{}年前有什么不同。",
        "把{}介绍给小学生，不超过{}个字。",
    ),
    things=("面包", "春天", "大桥", "钟表", "足球", "小提琴", "森林", "钱币", "邮局", "童话", "南方", "京剧"),
    answer="这是第{}个问题的答案，内容不长。",
)
TONGUES = (GERMAN, CHINESE)


def task(tongue: Tongue, number: int) -> str:
    form, thing = tongue.tasks[number % len(tongue.tasks)], tongue.things[number // 7 % len(tongue.things)]
    return form.format(thing, 2 + number // 84 % 97)


def files(folder: Path, tongue: Tongue) -> None:
    """Seed tasks, worked examples and prompts, all in that language."""
    seeds = []
    for number in range(0, 600, 29):
        task_input = tongue.things[number % 12] if number % 2 else ""
        seeds.append({
            "id": f"s{number}", "name": f"n{number}", "instruction": task(tongue, number), "is_classification": False,
            "instances": [{"input": task_input, "output": tongue.answer.format(number)}],
        })  # fmt: skip
    write(folder / "seeds.jsonl", *seeds)
    worked = [{"instruction": row["instruction"], "input": tongue.things[at], "output": tongue.answer.format(at)}
              for at, row in enumerate(seeds[:8])]  # fmt: skip
    write(folder / "worked.jsonl", *worked)
    write(folder / "alone.jsonl", *({key: row[key] for key in ("instruction", "output")} for row in worked))


def prompts(folder: Path, tongue: Tongue) -> None:
    write_prompts(folder / "prompts")
    names = ("instruction", "input", "output")
    stop = [f"\n{tongue.number.format('{number}')}", "\n\n"]
    lines = [f"{name}: {json.dumps(label)}" for name, label in zip(names, tongue.labels, strict=True)]
    (folder / "prompts" / "labels.yaml").write_text("\n".join([*lines, f"stop_instructions: {json.dumps(stop)}"]))
    path = folder / "prompts" / "completions" / "instructions.j2"
    text = path.read_text().replace("Come up with a series of tasks:", tongue.heading)
    text = text.replace("{{ loop.index }}.", tongue.number.format("{{ loop.index }}"))
    path.write_text(text.replace("{{ number }}.", tongue.number.format("{{ number }}")))


def config(base_url: str, endpoint: str) -> str:
    models = {name: {"base_url": base_url, "model": name, "endpoint": endpoint} for name in ("base", "first", "second")}
    return json.dumps({
        "seed_tasks": "seeds.jsonl", "prompts": "prompts",
        "instructions": {
            "target": {"input_output": 12, "output_only": 12}, "window": 4,
            "demonstrations": {"input_output": 4, "output_only": 4},
        },
        "instances": {"demonstrations": {"input_output": "worked.jsonl", "output_only": "alone.jsonl"}},
        "models": models, "roles": {"instructions": "base", "instances": "base", "outputs": ["first", "second"]},
        "licenses": {"policy": "any"},
    })  # fmt: skip


class Speaker:
    """Models that speak one language, and its labels; what each was asked is kept."""

    def __init__(self, tongue: Tongue) -> None:
        self.tongue = tongue
        self.asked: list[str] = []

    def __call__(self, body: dict[str, Any], _: int) -> web.Response:
        prompt = prompt_of(body)
        before = [turn["content"] for turn in body.get("messages", [])[:-1]]
        self.asked.append("\n".join([*before, prompt]))
        number = zlib.crc32(f"{prompt}{body.get('seed')}".encode())
        input_label, output_label = self.tongue.labels[1:]
        whole = self.asked[-1]
        if output_label.lower() in whole.lower():
            is_first = f"\n{input_label}".lower() in whole.lower()
            task_input = f"{input_label} {self.tongue.things[number % 12]}\n" if is_first else ""
            return said(f"{task_input}{output_label} {self.tongue.answer.format(number % 7)}")
        if whole.startswith(self.tongue.heading):
            return said(f" {task(self.tongue, number)}")
        if whole.startswith("You write tasks"):
            begin = int(re.findall(r"begins with (\d+)\.", whole)[0])
            return said("\n".join(f"{begin + at}. {task(self.tongue, number + 13 * at)}" for at in range(8)))
        return said(self.tongue.answer.format(zlib.crc32(prompt.encode()) % 7))


def is_in(tongue: Tongue, text: str) -> bool:
    is_chinese = re.search(r"[\u4e00-\u9fff]", text) is not None
    return is_chinese == (tongue is CHINESE) and re.search(r"\b(?:the|and|of)\b", text) is None


@pytest.mark.parametrize("endpoint", ["completions", "chat"])
@pytest.mark.parametrize("tongue", TONGUES, ids=lambda tongue: tongue.code)
def test_seeds_of_a_language_give_a_run_in_it_from_the_prompt_to_the_card(
    forks: Forks, tmp_path: Path, tongue: Tongue, endpoint: str
) -> None:
    files(tmp_path, tongue)
    prompts(tmp_path, tongue)
    speaker = Speaker(tongue)
    with serving(speaker) as served:
        (tmp_path / "my.yaml").write_text(config(served.base_url, endpoint))
        done = forks.run(tmp_path, ["run", "my.yaml", "--out", "run"])
    assert done.returncode == 0, done.stderr
    assert "another language" not in done.stderr

    steps_1_and_2 = [text for text in speaker.asked if any(label in text for label in tongue.labels)]
    assert steps_1_and_2
    assert not [text for text in steps_1_and_2 if re.search(r"^(instruction|input|output):", text, re.MULTILINE)]

    drops = stored(tmp_path / "run", "SELECT step, reason, text FROM rejected")
    assert {(step, reason) for step, reason, _ in drops} <= {
        ("instructions", "not_novel"), ("instructions", "target_reached"), ("parse", "duplicate")
    }, drops  # fmt: skip
    made = rows(tmp_path / "run" / "examples.jsonl")
    assert {row["kind"] for row in made} == {"input_output", "output_only"}
    assert all(is_in(tongue, row[part]) for row in made for part in ("instruction", "output"))
    assert not [row for row in made if any(label.strip(":：") in row["output"] for label in tongue.labels)]

    assert forks.run(tmp_path, ["export", "run", "--format", "messages", "--to", "rows.jsonl"]).returncode == 0
    card = forks.run(tmp_path, ["card", "run"])
    assert card.returncode == 0, card.stderr
    assert front(card.stdout)["language"] == [tongue.code]


@pytest.mark.parametrize("tongue", TONGUES, ids=lambda tongue: tongue.code)
def test_worked_examples_in_another_language_than_the_seeds_are_told(
    forks: Forks, tmp_path: Path, tongue: Tongue
) -> None:
    files(tmp_path, tongue)
    with serving(Speaker(tongue)) as served:
        text = json.loads(config(served.base_url, "completions"))
        del text["instances"], text["prompts"]
        (tmp_path / "my.yaml").write_text(json.dumps(text))
        for arguments in (["check", "my.yaml"], ["run", "my.yaml", "--out", "run"]):
            done = forks.run(tmp_path, arguments)
            lines = [line for line in done.stderr.splitlines() if "another language (en)" in line]
            assert [f"than the seed tasks ({tongue.code})" in line for line in lines] == [True, True], done.stderr
