"""A template of a user's own: what it can say, and that it cannot do more than say it."""

from __future__ import annotations

import pytest

from ensemble_instruct.errors import ConfigError
from ensemble_instruct.prompts.templates import PromptTemplate

NAMES = ("task", "texts", "labels")
GIVEN = {"task": "Sort the words.", "texts": ("b", "a", "c"), "labels": {"input": "Eingabe:"}}


def written(source: str, **values: object) -> str:
    return PromptTemplate(source, "own/x.j2", NAMES).rendered({**GIVEN, **values})


def test_a_template_writes_what_it_is_given() -> None:
    source = "{# what for #}\nDo: {{ task | upper }}\n{% for text in texts | sort %}\n{{ loop.index }}. {{ text }}\n"
    assert written(source + "{% endfor %}\n{{ labels.input }}") == "Do: SORT THE WORDS.\n1. a\n2. b\n3. c\nEingabe:"
    assert written("{{ texts | join(', ') }}{{ texts | length + 1 }}{{ task[:4] }}") == "b, a, c4Sort"
    assert written("{{ texts | tojson }} {{ task | tojson }} {{ 2.55 | round(1) }}", task="Grüße <b>") == (
        '["b", "a", "c"] "Grüße <b>" 2.5'
    )
    assert written("{{ task }}", task="{{ labels }} <b> & {% if %}") == "{{ labels }} <b> & {% if %}", "is text alone"
    assert written("a\r\n{{ task }}\r\n", task="x\r\ny") == "a\nx\r\ny", "the file's line ends are no part of a prompt"


@pytest.mark.parametrize(
    ("source", "line", "why"),
    [
        ("\n\n{{ tasks }}", 3, "'tasks' is no name here; names are labels, task, texts"),
        ("\n{% if task %}{{ tasks }}{% endif %}", 2, "'tasks' is no name here"),
        ("\n{{ labels.inptu }}", 2, "no attribute 'inptu'"),
        ("a\n{% if task %}", 2, "Unexpected end of template"),
        ("{{ task", 1, "unexpected end of template"),
        ("{{ task | center(9) }}", 1, "No filter named 'center'"),
        ("{{ task.upper() }}", 1, "nothing can be called"),
        ("\n{{ task.__class__ }}", 2, "unsafe"),
        ("{% include 'other.j2' %}", 1, "nothing can be included"),
        ("{% macro again() %}{{ again() }}{% endmacro %}", 1, "no macros"),
        ("{% for text in texts recursive %}{% endfor %}", 1, "cannot be recursive"),
        ("{{ texts }}", 1, "not a tuple"),
        ("{{ 1 // 0 }}", 1, "division"),
        ("{{ task + 1 }}", 1, ""),
        ("\n{{ '\\ud83d' }}", 2, "half of a surrogate pair"),
        ("{{ " + "9" * 5000 + " }}", 0, "digits"),
        ("\n{{ 1e999 | int }}", 2, "inf"),
        ("{{ " + "(" * 4000, 0, "recursion"),
    ],
)  # fmt: skip
def test_what_a_template_cannot_say_is_one_line_with_file_and_line(source: str, line: int, why: str) -> None:
    with pytest.raises(ConfigError, match=r"^[^\n]*$") as refused:
        written(source)
    assert str(refused.value).startswith(f"own/x.j2:{line}: " if line else "own/x.j2: ")
    assert why in str(refused.value)


TURN = "{% for one in task %}"
HOSTILE = {
    "loops within loops that write nothing": TURN * 12 + "{% endfor %}" * 12,
    "a loop that writes": TURN * 9 + "x" + "{% endfor %}" * 9,
    "a long text in each turn": TURN * 3 + "x" * 100_000 + "{% endfor %}" * 3,
    "a text put together with itself": "{% set x = task %}" + "{% set x = x + x %}" * 80 + "{{ x }}",
    "a block of itself": "{% set x %}xx{% endset %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 80 + "{{ x }}",
    "a list of itself": "{% set x = texts %}" + "{% set x = [x, x] %}" * 80 + "{{ x | string }}",
    "a list put together with itself": "{% set x = texts %}" + "{% set x = x + x %}" * 80 + "{{ x | length }}",
    "a joined text": "{% set x = task %}" + "{% set x = x | join(x) %}" * 40 + "{{ x }}",
    "a text many times": "{{ 'a' * 10000000000 }}",
    "a wide text": "{{ '%9999999999d' % 1 }}",
    "a huge number": "{{ 9 ** 9 ** 9 ** 9 }}",
    "a hundred thousand names": "{{ task }}" * 100_000,
    "a deep condition": "{% if task %}" * 1_000 + "{% endif %}" * 1_000,
    "a number rounded to a billion places": "{{ 5 | round(-999999999) }}{{ 1.5 | round(999999999, 'floor') }}",
    "a text quoted again and again": "{% set x = '\"' %}" + "{% set x = x | tojson %}" * 60 + "{{ x }}",
    "a wide JSON": "{{ texts | tojson(9999999999) }}",
    "a list of half a million numbers": "{% set x = [" + "1," * 400_000 + "] %}",
    "a filter many times": "{{ 1" + " | abs" * 100_000 + " }}",
    "a range": "{% for one in range(99999) %}{% for two in range(99999) %}{% endfor %}{% endfor %}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_template_that_goes_on_for_ever_or_makes_gigabytes_is_stopped(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^own/x\.j2[^\n]+$"):
        written(HOSTILE[name], task="0123456789" * 10)
