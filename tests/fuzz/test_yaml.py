"""A config and the words of a folder of prompts, whatever is in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble_instruct.config.bundled import preset_text
from ensemble_instruct.config.load import load_config, parse_config
from ensemble_instruct.prompts.labels import labels_of
from tests.fuzz.mangling import FUZZ, mangled, read_or_refused
from tests.support.good_input import SERVED_CONFIG, SIMULATED_CONFIG

LABELS = 'instruction: "Aufgabe:"\ninput: "Eingabe:"\noutput: "Ausgabe:"\nstop_instructions: ["{number}."]\n'
PIECES = [
    "&a", "*a", "<<: *a", "<<: ", "!!python/object:os.system ", "!!binary aGk=", "!!set {a}", "? ", ": ", "- ", "{",
    "}", "[", "]", "|\n", ">-\n ", "'", '"', "#", "\t", "\n", "\n  ", "---\n", "...\n", "%YAML 1.1\n", "\0", "\x85",
    "\u2028", "\ufeff", "010", "1:59:59", ".nan", "1e999", "9" * 5000, "yes", "~", "2024-01-01", "${A}", "${",
    "sk-0123456789abcdef", "\\x41", "models:\n", "a: ", "base_url: http://[::1", "http://a:b@c",
    "extra_body: {a: 1}", "headers: {A: b}", "0x_", "=",
]  # fmt: skip
PRESETS = [preset_text(name) for name in ("demo", "servers")]
CONFIGS = mangled([SERVED_CONFIG, SIMULATED_CONFIG, *PRESETS], PIECES, st.text(max_size=8))


@FUZZ
@given(text=CONFIGS)
def test_a_config_is_read_or_refused(text: str) -> None:
    with read_or_refused():
        parse_config(text, "my.yaml", Path("/nowhere"))


@FUZZ
@given(data=mangled([text.encode() for text in PRESETS], [b"\xff", b"\xfe\xff", b"\r", b"\0"], st.binary(max_size=8)))
def test_the_bytes_of_a_config_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz", numbered=True) / "my.yaml"
    path.write_bytes(data)
    with read_or_refused():
        load_config(path)


@FUZZ
@given(
    text=mangled(["seed=1", "models.a.headers={A: b}", "roles.outputs=[a]"], [*PIECES, "=", "."], st.text(max_size=8))
)
def test_a_setting_of_the_command_line_is_read_or_refused(text: str) -> None:
    with read_or_refused():
        parse_config(SERVED_CONFIG, "my.yaml", Path("/nowhere"), [text])


@FUZZ
@given(text=mangled([LABELS], PIECES, st.text(max_size=8)))
def test_the_words_of_prompts_are_read_or_refused(text: str) -> None:
    with read_or_refused():
        labels_of(text, "labels.yaml", labels_of(LABELS, "labels.yaml"))
