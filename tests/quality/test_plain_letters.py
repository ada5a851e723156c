"""A benchmark is found whichever way its letters were written; a text that shows nothing is empty."""

from __future__ import annotations

import json
import time
import unicodedata
from pathlib import Path

import pytest

from ensemble_instruct.agreement.ensemble import ensemble
from ensemble_instruct.invisible import is_blank
from ensemble_instruct.quality.decontamination import Benchmarks
from ensemble_instruct.quality.plain_letters import comparable_words
from ensemble_instruct.rouge import word_tokens

TEXT = "the official classification of efficient final offices in the café offers five fine affluent offers to don't"
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
WRITTEN = {
    "ligatures": TEXT.replace("ffi", "\ufb03").replace("ff", "\ufb00").replace("fi", "\ufb01").replace("fl", "\ufb02"),
    "full width": TEXT.translate(WIDE),
    "letters of mathematics": "".join(
        chr(0x1D41A + ord(letter) - 97) if letter.isascii() and letter.islower() else letter for letter in TEXT
    ),
    "accents apart": unicodedata.normalize("NFD", TEXT),
    "lines above": "".join(f"{each}\u1dc4" if each.isalpha() else each for each in TEXT),
    "without accents": TEXT.replace("é", "e"),
    "soft hyphens": TEXT.replace("classi", "clas\xadsi").replace("efficient", "effi\xad\ncient"),
    "zero width": TEXT.replace("official", "of\u200bfic\u2060ial").replace("fine", "\ufefffi\u200dne"),
    "curly quotes": "“" + TEXT.replace("'", "\u2019") + "”",
    "another apostrophe": TEXT.replace("'", "\u02bc"),
    "capitals": TEXT.upper(),
    "other spaces": TEXT.replace(" ", "\xa0"),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_a_benchmark_is_found_whichever_way_it_is_written(tmp_path: Path, way: str) -> None:
    for known, task in ((WRITTEN[way], TEXT), (TEXT, WRITTEN[way])):
        (tmp_path / "b.jsonl").write_text(json.dumps({"q": known}) + "\n")
        hit = Benchmarks([tmp_path / "b.jsonl"]).task_hit(f"Please read: {task}", "")
        assert hit is not None, way
        assert "the same 13 words" in hit.detail


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße und Œuvre", "STRASSE und Oeuvre"),
        ("Ærø Łódź", "aero lodz"),
        ("כְּלָבִים", "כלבים"),
        ("مُحَمَّد", "محمد"),
        ("ｶﾞ", "ガ"),
    ],
)
def test_words_are_the_same_in_plain_letters(one: str, other: str) -> None:
    assert comparable_words(one) == comparable_words(other)


@pytest.mark.parametrize("text", ["हिन्दी में लिखो", "한국어 문장", "日本語が好き", "Name a fruit: 3 apples!"])
def test_marks_that_are_letters_stay(text: str) -> None:
    assert comparable_words(text) == word_tokens(text)


def test_a_megabyte_takes_no_time() -> None:
    began = time.process_time()
    comparable_words("é\xad\n" * 300_000)
    assert not is_blank("\u200b" * 1_000_000 + "a")
    assert time.process_time() - began < 5


BLANK = [
    "",
    " \n",
    "\u200b",
    "\ufeff\u200d",
    "\xad",
    "\u3164",
    "\u2800 \u2800",
    "\u2060\u180e",
    "\x00",
    "\ufe0f",
    "\U000e0041",
]


@pytest.mark.parametrize("text", BLANK, ids=ascii)
def test_what_shows_nothing_is_never_chosen(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}.{text}")
    chosen, nothing = ensemble([{"a": text, "b": text, "c": "pear"}, {"a": text, "b": text}])
    assert chosen.output in ("pear", None)
    assert (nothing.output, nothing.reason) == (None, "empty_outputs")
