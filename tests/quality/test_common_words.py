# ruff: noqa: E501, RUF001 - texts of other languages
"""In which language many texts are: told where it is clear, and else not."""

from __future__ import annotations

import pytest

from ensemble_instruct.quality.common_words import language_of
from ensemble_instruct.records import KINDS
from ensemble_instruct.steps.seed_tasks import load_demonstrations, load_seed_tasks

TEXTS = {
    "de": "Schreibe einen Brief an die Vermieterin. Welche Stadt ist die Hauptstadt von Österreich? Fasse den Text in einem "
    "Satz zusammen, und erkläre, warum der Himmel blau ist und nicht grün.",
    "fr": "Écris une lettre au propriétaire pour lui dire que le chauffage est en panne. Quels sont les trois plus grands "
    "fleuves de France ? Explique pourquoi le ciel est bleu et pas vert.",
    "es": "¿Cuál es la capital de España? Explica por qué el cielo es azul y no verde. Nombra tres ríos que pasan por el "
    "país y di cómo se llaman en inglés las ciudades.",
    "ru": "Напиши письмо хозяину квартиры и объясни, что не работает отопление. Какой город является столицей? Почему небо "
    "синее, а не зелёное? Назови три реки, на которых стоит этот город, и скажи, как они текут.",
    "zh": "写一首关于春天的诗。把下面的句子翻译成英文。",
    "ja": "次の文を英語に訳してください。東京の天気はどうですか。",
    "ko": "다음 문장을 영어로 번역하세요. 봄에 대한 시를 쓰세요.",
    "th": "เขียนบทกวีเกี่ยวกับฤดูใบไม้ผลิ",
}  # fmt: skip


@pytest.mark.parametrize("code", TEXTS)
def test_texts_tell_their_language(code: str) -> None:
    assert language_of(TEXTS[code].split(". ")) == code
    assert language_of([TEXTS[code], "def f(x): return x + 1  # https://example.org"]) == code


def test_our_own_files_are_english() -> None:
    assert language_of(task.instruction for task in load_seed_tasks()) == "en"
    for kind in KINDS:
        assert language_of(shown.output for shown in load_demonstrations(kind)) == "en"


@pytest.mark.parametrize(
    "text", ["", "Ob", "12 + 30 = 42\n" * 100, "foo bar baz " * 50, f"{TEXTS['de']} {TEXTS['fr']}"]
)
def test_what_does_not_tell_it_is_in_no_language(text: str) -> None:
    assert language_of([text]) == ""
