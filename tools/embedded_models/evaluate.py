"""How often the embedded models are right on wordings and values they never saw, each alone and where they agree.

    python -m tools.embedded_models.evaluate [--models src/.../data/models] [--tasks 500] [--to FILE.json]

Each task is in a wording held out of the training of all three models, with values held out too where the family has
more of them than must be known by heart. `tiny-base` answers as in step 2 (few-shot, sampled), the others as in step 4
(zero-shot, greedy); then step 5 chooses with its default settings. Prints a table; the same figures go to the file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.demo.tasks import FAMILIES, is_right
from ensemble_instruct.demo.tasks.families import Task, make_task
from ensemble_instruct.prompts.completions import instances_template, outputs_prompt
from ensemble_instruct.records import KINDS, Answered, Candidate, Example, Instance
from ensemble_instruct.replies.end_marker import squeezed
from ensemble_instruct.steps.ensemble import select
from ensemble_instruct.steps.seed_tasks import load_demonstrations
from tools.embedded_models.engine import Answerer, Writer
from tools.embedded_models.shapes import SHIPPED

SEED = 7
BASE, VOTERS = "tiny-base", ("tiny-a", "tiny-b")
MOST_TOKENS = 64
"""No right answer is nearly as long."""
TOY = Path(__file__).parents[2] / "src" / "ensemble_instruct" / "data" / "toy"


@dataclass(frozen=True, slots=True)
class Judged:
    """A task, what each model answered, and what the agreement kept (None: dropped)."""

    task: Task
    answers: dict[str, str]
    kept: str | None

    def right(self, text: str | None) -> bool:
        """Whether a text is the task's answer."""
        return text is not None and bool(is_right(self.task.instruction, self.task.input, text))


def unseen_tasks(count: int) -> list[Task]:
    """Distinct tasks, the same each time, as evenly over the families as can be."""
    rng = Random(SEED)
    tasks: dict[tuple[str, str], Task] = {}
    order: list[Any] = []
    while len(tasks) < count:
        if not order:
            order = rng.sample(FAMILIES, len(FAMILIES))
        family = order.pop()
        task = make_task(family, rng, wordings=family.unseen_wordings, unseen_values=True)
        tasks[task.instruction, task.input] = task
    return list(tasks.values())


def judged(tasks: Sequence[Task], models: Path) -> list[Judged]:
    """What the models and the agreement say to each task."""
    answers = {name: _voter(tasks, models / name) for name in VOTERS} | {BASE: _base(tasks, models / BASE)}
    rows: list[Answered] = []
    for place, task in enumerate(tasks):
        instance = Instance(
            kind=task.family.kind, instruction=task.instruction, input=task.input, output=answers[BASE][place]
        )
        texts = {name: answers[name][place] for name in VOTERS}
        candidates = [
            Candidate(instance.id, name, text)
            for name, text in texts.items()
            if text and squeezed(text) != squeezed(task.input)
        ]
        rows.append(Answered(instance, tuple(candidates)))
    chosen = select(lambda: rows, Selection())
    return [
        Judged(
            task,
            {name: texts[place] for name, texts in answers.items()},
            record.output if isinstance(record, Example) else None,
        )
        for place, (task, record) in enumerate(zip(tasks, chosen, strict=True))
    ]


def _voter(tasks: Sequence[Task], folder: Path) -> list[str]:
    prompts = [outputs_prompt(task.instruction, task.input) for task in tasks]
    return [text.strip() for text in Answerer(folder).answers(prompts, MOST_TOKENS)]


def _base(tasks: Sequence[Task], folder: Path) -> list[str]:
    import ctranslate2

    templates = {
        kind: instances_template(kind, load_demonstrations(kind, TOY / f"demonstrations_{kind}.jsonl"), "default")
        for kind in KINDS
    }
    prompts = []
    for task in tasks:
        input_line = f"input: {task.input}\n" if task.input else ""
        prompts.append(f"{templates[task.family.kind].prompt(task.instruction)}{input_line}output:")
    ctranslate2.set_random_seed(SEED)
    replies = Writer(folder).continued(prompts, most_tokens=MOST_TOKENS, temperature=0.7, top_k=50)
    return [text.partition("\n\n")[0].strip() for text in replies]


def figures(results: Sequence[Judged]) -> dict[str, Any]:
    """The shares of right answers, overall, on what was kept, and for each family."""
    kept = [result for result in results if result.kept is not None]
    names = (BASE, *VOTERS)
    families = {
        family.name: _shares([result for result in results if result.task.family is family])
        for family in FAMILIES
        if any(result.task.family is family for result in results)
    }
    return {
        "tasks": len(results),
        "right": {name: _share([result.right(result.answers[name]) for result in results]) for name in names},
        "kept": len(kept),
        "kept_right": _share([result.right(result.kept) for result in kept]),
        "right_on_kept": {name: _share([result.right(result.answers[name]) for result in kept]) for name in names},
        "families": families,
    }


def _shares(results: Sequence[Judged]) -> dict[str, Any]:
    kept = [result for result in results if result.kept is not None]
    shares: dict[str, Any] = {"tasks": len(results)}
    for name in (BASE, *VOTERS):
        shares[name] = _share([result.right(result.answers[name]) for result in results])
    return shares | {"kept": len(kept), "agreement": _share([result.right(result.kept) for result in kept])}


def _share(right: Sequence[bool]) -> float | None:
    return round(sum(right) / len(right), 4) if right else None


def table(evaluation: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| who | answers | right |", "|---|---|---|"]
    count = evaluation["tasks"]
    lines += [f"| `{name}` alone | {count} | {_percent(share)} |" for name, share in evaluation["right"].items()]
    lines.append(f"| the agreement, kept | {evaluation['kept']} | {_percent(evaluation['kept_right'])} |")
    lines += ["", "| family | tasks | base | a | b | kept | right of these |", "|---|---|---|---|---|---|---|"]
    for name, one in evaluation["families"].items():
        shares = " | ".join(_percent(one[model]) for model in (BASE, *VOTERS))
        lines.append(f"| {name} | {one['tasks']} | {shares} | {one['kept']} | {_percent(one['agreement'])} |")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def main() -> None:
    """Read the arguments, evaluate, print, keep."""
    parser = argparse.ArgumentParser(description="Evaluate the embedded models on unseen tasks.")
    parser.add_argument("--models", type=Path, default=SHIPPED)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--to", type=Path, help="default: evaluation.json beside the models")
    options = parser.parse_args()
    evaluation = figures(judged(unseen_tasks(options.tasks), options.models))
    print(table(evaluation))
    target = options.to or options.models / "evaluation.json"
    target.write_text(f"{json.dumps(evaluation, indent=1)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
