"""How chat models put what they say: lists of tasks, worked examples and answers, in families of styles."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
"""The fields of a message of the protocol."""
Said = str | Message
"""A reply: its text, or the whole message."""
ListStyle = Callable[[Sequence[str], int], Said]
"""From tasks and the number that the list should begin with."""
WorkedStyle = Callable[[Mapping[str, str]], Said]
"""From the parts of a worked example: `output`, and for the kind with an input before it `input`."""
AnswerStyle = Callable[[str], Said]
"""From an answer."""


@dataclass(frozen=True, slots=True)
class Styles:
    """Styles by name; each reply has the next one."""

    lists: Mapping[str, ListStyle]
    worked: Mapping[str, WorkedStyle]
    answers: Mapping[str, AnswerStyle]


THOUGHT = """Okay, the user wants something.

1. Describe a wrong cat that nobody asked for.
2. **Draft**: Explain the wrong dog to a wrong horse.

Input: a wrong input
Output: a wrong output

Hmm, let me write it properly."""
"""A thought that holds all that the answer could hold."""
OPENING, CLOSING = "Sure! Here are some more tasks:", "Let me know if you'd like more!"
ANNOUNCED, OFFERED = "Sure! Here is the answer:", "I hope this helps! Let me know if you have any questions."


def numbered(pattern: str, between: str = "\n") -> ListStyle:
    """A list whose items are the pattern with the number `n` and the task `t`."""
    return lambda tasks, first: between.join(pattern.format(n=n, t=task) for n, task in enumerate(tasks, start=first))


def around(before: str, style: ListStyle, after: str = "") -> ListStyle:
    """Something before and after a list."""
    return lambda tasks, first: f"{before}{style(tasks, first)}{after}"


def over_two_lines(tasks: Sequence[str], first: int) -> str:
    """Each task broken at a space in its middle."""
    items = []
    for number, task in enumerate(tasks, start=first):
        place = task.index(" ", len(task) // 2)
        items.append(f"{number}. {task[:place]}\n   {task[place + 1 :]}")
    return "\n".join(items)


def channels(text: str) -> str:
    """As gpt-oss says it when the server leaves its tokens in the text."""
    return (
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{text}<|return|>"
    )


def in_parts(text: str) -> Message:
    """A thought as a part of the content, and the text in two parts."""
    half = len(text) // 2
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]
    return {"content": [*parts, *({"type": "text", "text": piece} for piece in (text[:half], text[half:]))]}


def beside(name: str) -> Callable[[str], Message]:
    """The thought in a field of its own."""
    return lambda text: {"content": text, name: THOUGHT}


def fenced(text: str, language: str = "") -> str:
    """In a code fence."""
    return f"```{language}\n{text}\n```"


DOTTED = numbered("{n}. {t}")
FRAMES: Mapping[str, Callable[[str], Said]] = {
    "<think>": lambda text: f"<think>\n{THOUGHT}\n</think>\n\n{text}",
    "</think> alone": lambda text: f"{THOUGHT}\n</think>\n\n{text}",
    "[THINK]": lambda text: f"[THINK]{THOUGHT}[/THINK]{text}",
    "Kimi's triangles": lambda text: f"\u25c1think\u25b7{THOUGHT}\u25c1/think\u25b7{text}",
    "empty thought": lambda text: f"<think>\n\n</think>\n\n{text}",
    "harmony": channels,
    "parts": in_parts,
    "reasoning_content": beside("reasoning_content"),
    "reasoning": beside("reasoning"),
    "<|im_end|>": lambda text: f"{text}<|im_end|>\n<|im_start|>user\nWrite a wrong cat.",
    "</s>": lambda text: f"{text}</s>",
    "<|eot_id|>": lambda text: f"{text}<|eot_id|><|start_header_id|>user<|end_header_id|>",
    "<end_of_turn>": lambda text: f" {text}\n<end_of_turn>\n",
}
"""Thoughts and tokens around any text."""


def framed(style: Callable[..., Said]) -> dict[str, Any]:
    """A style within each of the frames."""

    def within(frame: Callable[[str], Said]) -> Callable[..., Said]:
        return lambda *stated: frame(str(style(*stated)))

    return {name: within(frame) for name, frame in FRAMES.items()}


def labelled(pattern: str, between: str = "\n") -> WorkedStyle:
    """Each part of a worked example under its label."""
    return lambda values: between.join(
        pattern.format(label=name.capitalize(), text=text) for name, text in values.items()
    )


WORKED_PLAIN = labelled("{label}: {text}")
WORKED_BOLD = labelled("**{label}:** {text}", "\n\n")
NUMBERS = Styles(
    {
        "25.": DOTTED,
        "25)": numbered("{n}) {t}"),
        "25:": numbered("{n}: {t}"),
        "(25)": numbered("({n}) {t}"),
        "**25.**": numbered("**{n}.** {t}"),
        "Task 25:": numbered("Task {n}: {t}"),
        "**Task 25:**": numbered("**Task {n}:** {t}"),
        "### Task 25": numbered("### Task {n}\n{t}", "\n\n"),
        "from 1": lambda tasks, _: DOTTED(tasks, 1),
        "titles": numbered("{n}. **Creative Writing**: {t}"),
    },
    {
        "plain": WORKED_PLAIN,
        "lower case": lambda values: "\n".join(f"{name}: {text}" for name, text in values.items()),
        "**Input:**": labelled("**{label}:** {text}"),
        "**Input**:": labelled("**{label}**: {text}", "\n\n"),
        "### Input": labelled("### {label}\n{text}", "\n\n"),
        "## Input:": labelled("## {label}:\n\n{text}", "\n\n"),
        "text on the next line": labelled("{label}:\n{text}", "\n\n"),
    },
    {
        "plain": lambda text: text,
        "Output:": lambda text: f"Output: {text}",
        "**Answer:**": lambda text: f"**Answer:** {text}",
        "Response: above": lambda text: f"Response:\n{text}",
        "bare fence": fenced,
    },
)
"""Numbers before tasks, labels before the rest."""
SHAPES = Styles(
    {
        "hyphens": numbered("- {t}"),
        "stars": numbered("* {t}", "\n\n"),
        "bullets": numbered("\u2022 {t}"),
        "array": lambda tasks, _: json.dumps(tasks),
        "fenced array": lambda tasks, _: fenced(json.dumps(tasks, indent=2, ensure_ascii=False), "json"),
        "array after words": lambda tasks, _: f"{OPENING}\n\n{fenced(json.dumps(tasks, indent=1))}\n\n{CLOSING}",
        "object": lambda tasks, _: json.dumps({"tasks": tasks}),
        "objects": lambda tasks, _: json.dumps([{"task": task} for task in tasks]),
        "objects with numbers": lambda tasks, n: json.dumps([{"id": n, "instruction": task} for task in tasks]),
        "blank lines": numbered("{n}. {t}", "\n\n"),
        "two lines": over_two_lines,
        "letters": lambda tasks, _: "\n".join(f"{letter}) {task}" for letter, task in zip("abcd", tasks, strict=True)),
        "all in a fence": lambda tasks, first: fenced(str(DOTTED(tasks, first))),
        "table": around("| # | Task |\n|---|---|\n", numbered("| {n} | {t} |")),
        "elements": numbered("<task>{t}</task>"),
        "objects on lines": lambda tasks, _: "\n".join(json.dumps({"task": task}) for task in tasks),
        "CRLF": numbered("{n}. {t}", "\r\n"),
    },
    {
        "object": lambda values: json.dumps(dict(values), ensure_ascii=False),
        "fenced object": lambda values: fenced(json.dumps(dict(values), indent=2), "json"),
        "object after words": lambda values: f"Here is a worked example:\n\n{fenced(json.dumps(dict(values)), 'json')}",
        "all in a fence": lambda values: fenced(str(WORKED_PLAIN(values))),
        "CRLF": lambda values: str(WORKED_PLAIN(values)).replace("\n", "\r\n"),
    },
    {"plain": lambda text: text, "fence": fenced, "fence after words": lambda text: f"{ANNOUNCED}\n\n{fenced(text)}"},
)
"""Bullets, JSON, fences, lines."""
TALK = Styles(
    {
        "opening": around(f"{OPENING}\n\n", DOTTED),
        "closing": around("", DOTTED, f"\n\n{CLOSING}"),
        "both": around(f"{OPENING}\n", DOTTED, f"\n\n{CLOSING}"),
        "both around bullets": around(
            "Certainly! Below are the tasks you asked for.\n\n", numbered("- {t}"), f"\n\n{CLOSING}"
        ),
        "heading": around("## More tasks\n\n", DOTTED, "\n\n---\nThese tasks cover many subjects."),
        "solved": numbered("{n}. {t}\n   Input: None\n   Output: A wrong output."),
        "bold label": numbered("{n}. **Task**: {t}"),
        "label": numbered("{n}. Instruction: {t}"),
        "bold": numbered("{n}. **{t}**"),
        "quotation marks": numbered('{n}. "{t}"'),
        "another language": around(
            "Gerne! Hier sind weitere Aufgaben:\n\n", DOTTED, "\n\nSag Bescheid, wenn du mehr möchtest!"
        ),
    },
    {
        "opening": lambda values: f"Sure! Here is a worked example:\n\n{WORKED_PLAIN(values)}",
        "both": lambda values: f"Here you go:\n\n{WORKED_BOLD(values)}\n\n{OFFERED}",
        "heading": lambda values: f"### Worked example\n\n{WORKED_BOLD(values)}",
        "none": lambda values: WORKED_PLAIN(values if "input" in values else {"input": "None", **values}),
    },
    {
        "plain": lambda text: text,
        "opening": lambda text: f"{ANNOUNCED}\n\n{text}",
        "closing": lambda text: f"{text}\n\n{OFFERED}",
        "both": lambda text: (
            f"Certainly! Here's the response:\n\n{text}\n\nFeel free to ask if you need anything else!"
        ),
        "both, and a label": lambda text: f"{ANNOUNCED}\n\nOutput: {text}\n\n{OFFERED}",
    },
)
"""What chat models say around the matter."""
THOUGHTS = Styles(framed(DOTTED), framed(WORKED_PLAIN), framed(lambda text: text))
"""Thoughts and control tokens."""
CUT_OFF: Mapping[str, Callable[..., Said]] = {
    "in a field": lambda *_: {"content": "", "reasoning_content": THOUGHT, "finish_reason": "length"},
    "in the text": lambda *_: {"content": f"<think>\n{THOUGHT}", "finish_reason": "length"},
    "in a channel": lambda *_: {"content": f"<|channel|>analysis<|message|>{THOUGHT}", "finish_reason": "length"},
    "in a part": lambda *_: {"content": [{"type": "thinking", "thinking": THOUGHT}], "finish_reason": "length"},
    "hidden": lambda *_: {"content": None, "finish_reason": "length"},
}
"""Replies whose thought the token limit cuts off."""
REFUSED: Mapping[str, Callable[..., Said]] = {
    "in a field": lambda *_: {"content": None, "refusal": "I cannot help with that."},
    "beside an empty text": lambda *_: {"content": "", "refusal": "I cannot help with that."},
    "in a part": lambda *_: {"content": [{"type": "refusal", "refusal": "I cannot help with that."}]},
}
"""Replies in which the protocol says that the model would not."""
FAMILIES = {"numbers": NUMBERS, "shapes": SHAPES, "talk": TALK, "thoughts": THOUGHTS}
PLAIN = Styles({"plain": DOTTED}, {"plain": WORKED_PLAIN}, {"plain": lambda text: text})
"""As the prompts ask for it."""
