# ruff: noqa: RUF001 - letters of other scripts
"""Which instructions are usable: words as each script needs them, clean starts, a user's own words and patterns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.config.steps import FiltersSection
from ensemble_instruct.steps.usable import InstructionFilters, published_reason, word_count

ORIGINAL = {
    "min_words": 4,
    "text_only": False,
    "blocked_words": ["image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps",
                      "draw", "plot", "go to"],
    "blocked_patterns": ["^Write a program", "^[^A-Za-z0-9]"],
}  # fmt: skip
"""The original's rules as a config says them (docs/guide/steps.md)."""


def reason(text: str, **settings: Any) -> str:
    return InstructionFilters.of(FiltersSection(**settings)).reason(text)


@pytest.mark.parametrize(
    "text",
    [
        "Write a poem.", "Nenne drei Farben.", "Cite trois couleurs.", "写一首诗", "讲个笑话", "用Python写一个函数",
        "詩を書いて。", "色を三つ挙げて", "세 가지 색을 말하세요.", "เขียนบทกวี", "แต่งกลอน", "ဗမာစာအကြောင်းရေးပါ",
        "សរសេរកំណាព្យ", "اكتب قصيدة قصيرة", "तीन रंग बताओ", "Назови три цвета.", "2 + 2 = ?",
    ],
)  # fmt: skip
def test_a_short_task_of_any_script_is_long_enough(text: str) -> None:
    assert reason(text) == ""


@pytest.mark.parametrize(
    "text",
    ["Yes.", "OK then", "Ja.", "Sure, thanks!", "好的。", "没问题", "はい。", "わかりました", "ใช่", "네.", "Да, да."],
)
def test_what_is_no_task_is_too_short(text: str) -> None:
    assert reason(text) == "too_short"


@pytest.mark.parametrize(
    ("sentence", "times", "expected"),
    [
        ("Write one word. ", 50, ""),
        ("Write one word. ", 51, "too_long"),
        ("写一个词。", 50, ""),
        ("写一个词。", 61, "too_long"),
        ("言葉を一つ書く。", 42, ""),
        ("言葉を一つ書く。", 60, "too_long"),
        ("เขียนหนึ่งคำ ", 50, ""),
        ("단어 하나를 쓰세요. ", 51, "too_long"),
        ("x" * 500_000 + " ", 2, "too_short"),
        ("字" * 1000, 1000, "too_long"),
    ],
)
def test_too_long_is_150_words_and_not_150_characters(sentence: str, times: int, expected: str) -> None:
    assert reason((sentence * times).strip()) == expected


def test_the_bounds_are_those_of_the_config() -> None:
    assert reason("Sing loudly.", min_words=2) == ""
    assert reason("Write a poem.", min_words=4) == "too_short"
    assert reason("Write a poem now.", max_words=3) == "too_long"
    assert reason("", min_words=1) == "empty"


def test_spaces_between_words_of_a_script_without_them_make_no_difference() -> None:
    assert word_count("写 一 首 诗") == word_count("写一首诗") == 3
    assert word_count("请用 Python 写代码。") == word_count("请用Python写代码。") == 5


@pytest.mark.parametrize(
    "text",
    [
        '"Carpe diem": translate it.', "'Tis the season: explain this phrase.", "`git rebase`: what does it do?",
        "“Carpe diem”: translate it.", "„Carpe diem“ ins Deutsche übersetzen.", "»Carpe diem« ins Deutsche übersetzen.",
        "«Война и мир»: о чём этот роман?", "「桜」を使って俳句を書いてください。", "《红楼梦》的作者是谁？",
        "¿Cómo se dice hola en francés?", "¡Escribe un poema alegre!", "$5 are split between two people.",
        "-5 + 8 = ? Explain.", "#include: what is it for?",
        ".NET or Java: which is older?", "@property: what does it do?",
        "(2 + 3) * 4 = ?", "[3, 1, 2]: sort this list.", "🎉 Write a party invitation.", "№ 5 means what?", "5 + 5 = ?",
        "Écris un poème court.",
    ],
)  # fmt: skip
def test_what_opens_a_word_a_quotation_or_a_number_is_a_start(text: str) -> None:
    assert reason(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        ". Write a poem about spring.", ", and write a poem.", "- Write a poem.", "* Write a poem.", ": Write a poem.",
        ") Write a poem.", "... and so on and on.", "。写一首关于春天的诗", "、詩を書いてください。", "— Write a poem.",
        "(Note that this one is optional.)", "[Your own task goes here]", "{a placeholder for a task}",
        "” he said to me.",
        "\u0301Write a poem.", "/s> and more text here",
    ],
)  # fmt: skip
def test_any_other_punctuation_is_none(text: str) -> None:
    assert reason(text) == "starts_with_punctuation"
    assert reason(text, clean_start=False) == ""


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("bomb", "Explain how a Bomb shelter works."),
        ("BOMB", "Explain what a bomb is."),
        ("go to", "Where do I go  to\nlearn Spanish?"),
        ("straße", "Beschreibe die STRASSE deiner Kindheit."),
        ("été", "Décris l'e\u0301te\u0301 à Paris."),
        ("C++", "Explain the C++ standard library."),
        ("c#", "Compare C# with Java."),
        (".NET", "Explain the .NET runtime."),
        ("программа", "Что такое программа?"),
        ("程序", "请写一个程序。"),
        ("地図", "日本の地図を説明してください。"),
        ("AI", "请解释AI技术。"),
        ("โปรแกรม", "เขียนโปรแกรมบวกเลข"),
        ("चित्र", "एक चित्र का वर्णन करो।"),
        ("صورة", "ما هي صورة الشعر؟"),
        ("well-known", "Name a well-known author."),
        ("🎉", "Write a party 🎉 invitation."),
    ],
)
def test_a_blocked_word_is_found_in_any_case_and_script(word: str, text: str) -> None:
    assert reason(text) == ""
    assert reason(text, blocked_words=["other", word]) == "blocked_word"


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("bomb", "Explain what a bombardment is."),
        ("map", "Name three roadmap tools."),
        ("go to", "Explain the word cargo tour."),
        ("go to", "What is the go-to place?"),
        ("программа", "Объясни слово программация."),
        ("काम", "कामना का अर्थ बताओ।"),
        ("कम", "कमी का अर्थ बताओ।"),
        ("e", "Décris l'e\u0301te\u0301 à Paris."),
        ("file", "Use my_file as a name."),
        ("C++", "Explain the language C+ briefly."),
    ],
)
def test_a_part_of_a_word_is_not_the_word(word: str, text: str) -> None:
    assert reason(text, blocked_words=[word]) == ""


def test_a_pattern_is_searched_as_it_is_written() -> None:
    assert reason("Write a program that sorts.", blocked_patterns=["^Write a program"]) == "blocked_pattern"
    assert reason("write a program that sorts.", blocked_patterns=["^Write a program"]) == ""
    assert reason("write a program that sorts.", blocked_patterns=["(?i)^Write a program"]) == "blocked_pattern"
    assert reason("Name 12 rivers of Asia.", blocked_patterns=["x", r"\d{2}"]) == "blocked_pattern"
    assert reason("Sort these words.", blocked_patterns=["^(?!Write)"]) == "blocked_pattern"


@settings(deadline=None)
@given(st.lists(st.sampled_from([
    "Write a program", "Write", "a", "picture", "Files", "go to", "roadmap", "draw", "drawing", '"', "(", "é", "sort",
    "this", "3",
]), min_size=1, max_size=9).map(" ".join))  # fmt: skip
def test_the_rules_of_the_original_can_be_said_in_a_config(text: str) -> None:
    assert bool(reason(text, **ORIGINAL)) == bool(published_reason(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nenne drei Farben.", "too_short"),
        ("Write a Python function that opens a file.", "blocked_word"),
        ("Write a program that sorts numbers.", "asks_for_a_program"),
        ("Écris un poème sur la mer.", "starts_with_non_ascii"),
        ('"Carpe diem" is which language?', "starts_with_punctuation"),
        ("word " * 151, "too_long"),
        ("", "empty"),
        ("Take a photo of your breakfast.", ""),
    ],
)
def test_the_profile_published_keeps_the_rules_of_the_original(text: str, expected: str) -> None:
    assert published_reason(text.strip()) == expected
