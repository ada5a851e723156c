"""Step 3 in the default profile: what the recorded completions give, and each mend of the original's reading."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from ensemble_instruct.steps.seed_tasks import load_seed_tasks
from tests.conftest import PUBLISHED_RUN, Cli, needs_shared, rows

COMPLETIONS = PUBLISHED_RUN / "openei.io_instances.jsonl"
HEADING = r"^[ \t]*(?:instruction|input|output):"
END = rf"\s*(?:\|EoS\||{HEADING}|\Z)"

Row = dict[str, Any]


def squeezed(text: str) -> str:
    return " ".join(text.split())


def parse(cli: Cli, source: Path | str, folder: Path, *options: str | Path) -> tuple[list[Row], list[Row], str]:
    """(rows kept, rows dropped, what was printed) of a file of completions."""
    done = cli("parse", "--instances", source, "--to", "made", *options)
    assert done.returncode == 0, done.stderr
    beside = folder / "made.rejected.jsonl"
    return rows(folder / "made"), rows(beside) if beside.exists() else [], done.stdout


# The recorded completions


def holds_example(dropped: Row) -> bool:
    """Whether a dropped text states an output."""
    found = re.search(r"^[ \t]*output:((?s:.*))", dropped["text"], re.MULTILINE)
    return found is not None and squeezed(found[1].partition("|EoS|")[0]) != ""


def stands_whole(row: Row, text: str) -> bool:
    """Whether input and output stand in the text from their headings to where each ends there, nothing less."""
    fields = ("input", "output") if row["input"] else ("output",)
    patterns = [rf"^[ \t]*{field}:\s*{re.escape(row[field])}{END}" for field in fields]
    return all(re.search(pattern, text, re.MULTILINE) for pattern in patterns)


@needs_shared
def test_the_recorded_completions_give_at_least_85_first_examples_and_30_further_tasks(
    cli: Cli, tmp_path: Path
) -> None:
    kept, dropped, printed = parse(cli, COMPLETIONS, tmp_path)
    asked = {squeezed(row["instruction"].replace("|EoS|", "")) for row in rows(COMPLETIONS)}
    assert len(asked) == 101
    judged = [row for row in dropped if holds_example(row) and row["reason"] != "further_example"]
    further = [row for row in judged if row["text"].startswith("instruction:")]
    first_read = sum(row["instruction"] in asked for row in kept) + len(judged) - len(further)
    further_read = sum(row["instruction"] not in asked for row in kept) + len(further)
    assert first_read >= 85
    assert further_read >= 30
    assert f"read {first_read} first examples and {further_read} follow-on tasks in 101 completions" in printed


@needs_shared
def test_no_recorded_input_or_output_is_cut_and_no_end_marker_is_kept(cli: Cli, tmp_path: Path) -> None:
    kept, _, _ = parse(cli, COMPLETIONS, tmp_path)
    completions = rows(COMPLETIONS)
    for row in kept:
        texts = [
            one["raw_instances"]
            for one in completions
            if row["instruction"] in squeezed(f"{one['instruction']} {one['raw_instances']}")
        ]
        assert any(stands_whole(row, text) for text in texts), row
    assert not [row for row in kept if "|EoS|" in "".join(row.values())]
    assert any("\n" in row["output"] for row in kept)
    assert any("\n" in row["input"] for row in kept)


@needs_shared
def test_every_recorded_task_is_kept_or_dropped_with_a_reason(cli: Cli, tmp_path: Path) -> None:
    kept, dropped, printed = parse(cli, COMPLETIONS, tmp_path)
    completions = rows(COMPLETIONS)
    stated = len(completions) + sum(
        len(re.findall(r"^[ \t]*instruction:", row["raw_instances"], re.MULTILINE)) for row in completions
    )
    assert len(kept) + sum(row["reason"] != "further_example" for row in dropped) == stated
    everything = "\0".join(row["raw_instances"] for row in completions)
    for row in dropped:
        assert row["step"] == "parse"
        assert re.fullmatch(r"[a-z_]+", row["reason"])
        assert row["text"].strip() in everything
    counted = Counter(row["reason"] for row in dropped)
    assert f"{len(kept)} rows in made\n{len(dropped)} dropped (" in printed
    assert all(f"{count} {reason}" in printed for reason, count in counted.items())


# The mends, one by one


Case = tuple[str, str] | tuple[str, str, str]


def read(cli: Cli, folder: Path, *cases: Case) -> tuple[list[tuple[str, str, str]], list[str]]:
    """([(instruction, input, output) kept], [reasons of drops]) of cases (instruction, text[, finish_reason])."""
    names = ("instruction", "raw_instances", "finish_reason")
    lines = [json.dumps(dict(zip(names, case, strict=False)), ensure_ascii=False) + "\n" for case in cases]
    (folder / "completions").write_text("".join(lines), encoding="utf-8")
    kept, dropped, _ = parse(cli, "completions", folder)
    return [(row["instruction"], row["input"], row["output"]) for row in kept], [row["reason"] for row in dropped]


def test_inputs_and_outputs_of_several_lines_and_paragraphs_are_kept_whole(cli: Cli, tmp_path: Path) -> None:
    poem = "Roses are red,\n  violets blue,\n\n\nand 2^10 ^ 3\n\n\tis a caret: and a tab"
    table = "a | b\n\n1 | 2\n"
    kept, dropped = read(
        cli, tmp_path,
        ("Copy the table. |EoS|", f"input: {table}\noutput: {poem}\n|EoS|"),
        ("Write a poem about numbers.", f"output:\n\n{poem}\n\n"),
    )  # fmt: skip
    assert kept == [
        ("Copy the table.", table.strip(), poem),
        ("Write a poem about numbers.", "", poem),
    ]
    assert dropped == []


def test_the_indentation_of_a_text_below_its_heading_is_kept(cli: Cli, tmp_path: Path) -> None:
    text = "input:\n  x = 1\n  y = 2\noutput:\n    x = 1\n    y = 2 ^ x\n|EoS|\nnothing more"
    kept, _ = read(cli, tmp_path, ("Indent the code.", text))
    assert kept == [("Indent the code.", "  x = 1\n  y = 2", "    x = 1\n    y = 2 ^ x")]


def test_a_heading_counts_only_at_the_start_of_a_line(cli: Cli, tmp_path: Path) -> None:
    text = "input: the word input: inside\noutput: say output: twice and name the instruction: once"
    kept, _ = read(cli, tmp_path, ("Repeat it all.", text))
    assert kept == [("Repeat it all.", "the word input: inside", "say output: twice and name the instruction: once")]


def test_further_tasks_are_instances_of_their_own_after_the_one_asked_for(cli: Cli, tmp_path: Path) -> None:
    text = (
        "input: 3\noutput: three\n|EoS|\n\n"
        "instruction: Compose a couplet about winter rain. |EoS|\noutput: Drip,\n\ndrop ^\n|EoS|\n\n"
        "instruction: Convert the temperature\nto Fahrenheit. |EoS|\ninput: 100 °C\noutput: 212 °F |EoS|"
    )
    kept, dropped = read(cli, tmp_path, ("Spell the number. |EoS|", text), ("Name any metal you know.", "output: tin"))
    assert kept == [
        ("Spell the number.", "3", "three"),
        ("Compose a couplet about winter rain.", "", "Drip,\n\ndrop ^"),
        ("Convert the temperature to Fahrenheit.", "100 °C", "212 °F"),
        ("Name any metal you know.", "", "tin"),
    ]
    assert dropped == []


def test_a_further_task_is_read_where_the_one_asked_for_is_not(cli: Cli, tmp_path: Path) -> None:
    text = "I do not know.\n\ninstruction: Compose a couplet about winter rain.\noutput: Drip, drop"
    kept, dropped = read(cli, tmp_path, ("Spell the number.", text))
    assert kept == [("Compose a couplet about winter rain.", "", "Drip, drop")]
    assert len(dropped) == 1


def test_a_completion_without_any_heading_is_dropped_and_the_next_one_read(cli: Cli, tmp_path: Path) -> None:
    texts = ["", " \n\n", "I do not know.", "The output: is in the middle", "|EoS|"]
    cases = [(f"Try number {number}.", text) for number, text in enumerate(texts)]
    kept, dropped = read(cli, tmp_path, *cases, ("Spell the number.", "input: 3\noutput: three"))
    assert kept == [("Spell the number.", "3", "three")]
    assert len(dropped) == len(texts)


def test_a_further_task_near_to_a_known_instruction_is_not_novel(cli: Cli, tmp_path: Path) -> None:
    seed = next(task.instruction for task in load_seed_tasks() if len(task.instruction.split()) > 10)
    own, earlier = "List three rivers that flow north in Asia", "Count the vowels in a word that I give"
    again = "instruction: Compose a couplet about winter rain.\noutput: Drip"
    further = [
        f"instruction: {seed}\noutput: as a seed",
        f"instruction: {own} now\noutput: as the own one",
        f"instruction: {earlier}!\noutput: as an earlier one",
        again,
        again.replace("rain", "snow"),
    ]
    kept, dropped = read(
        cli, tmp_path, (earlier, "input: moon\noutput: 2"), (own, "\n\n".join(["output: Ob, Lena", *further]))
    )
    assert kept == [
        (earlier, "moon", "2"), (own, "", "Ob, Lena"), ("Compose a couplet about winter rain.", "", "Drip")
    ]  # fmt: skip
    assert dropped == ["not_novel"] * 4
    assert all(row["detail"] for row in rows(tmp_path / "made.rejected.jsonl"))


def test_the_users_seed_tasks_and_threshold_decide_what_is_novel(cli: Cli, tmp_path: Path) -> None:
    instances = [{"input": "", "output": "o"}]
    seed = {"id": "s", "name": "n", "instruction": "a b c d e", "instances": instances, "is_classification": False}
    (tmp_path / "seeds").write_text(json.dumps(seed) + "\n")
    text = "output: x\n\ninstruction: a b c d f g\noutput: y"  # ROUGE-L F1 to the seed is 8/11
    kept, _ = read(cli, tmp_path, ("Something else entirely.", text))
    assert len(kept) == 2
    for threshold, count in (("0.72", 1), ("0.73", 2)):
        options = ("--seed-tasks", "seeds", "--novelty-threshold", threshold)
        assert len(parse(cli, "completions", tmp_path, *options)[0]) == count


def test_an_example_cut_off_by_the_token_limit_is_dropped(cli: Cli, tmp_path: Path) -> None:
    cut: list[tuple[str, str]] = [
        ("In the output, first.", "output: It was a dark and"),
        ("In the output, second.", "input: a\noutput: It was a dark and"),
        ("In the input.", "input: 1, 2, 3, 4,"),
        ("In a further output.", "output: whole\n\ninstruction: Give the colours of a lion.\noutput: yellow an"),
        ("In a further instruction.", "output: whole\n\ninstruction: Explain at length why the"),
    ]
    ended: list[Case] = [
        ("At the marker.", "output: whole\n|EoS|", "length"),
        ("Stopped.", "output: It was a dark and", "stop"),
        ("Not told.", "output: It was a dark and"),
    ]
    kept, dropped = read(cli, tmp_path, *((name, text, "length") for name, text in cut), *ended)
    assert [instruction for instruction, _, _ in kept] == [
        "In a further output.", "In a further instruction.", "At the marker.", "Stopped.", "Not told."
    ]  # fmt: skip
    assert dropped == ["cut_off"] * len(cut)


def test_an_empty_output_and_an_output_equal_to_its_input_are_dropped(cli: Cli, tmp_path: Path) -> None:
    kept, dropped = read(
        cli, tmp_path,
        ("Empty one.", "output:"),
        ("Empty two.", "input: a\noutput: \n\n |EoS|\n"),
        ("Empty three.", "output:\ninstruction: Recite the longest word of all.\noutput: \t\n|EoS|"),
        ("Equal one.", "input: The same.\noutput: The same."),
        ("Equal two.", "input: The\nsame.\noutput:   The  same.\n|EoS|"),
        ("Not equal.", "input: the same.\noutput: The same."),
    )  # fmt: skip
    assert kept == [("Not equal.", "the same.", "The same.")]
    assert dropped == ["empty_output"] * 4 + ["output_equals_input"] * 2


def test_the_same_instruction_stays_with_other_inputs_and_a_duplicate_is_dropped(cli: Cli, tmp_path: Path) -> None:
    ask = "Double the number."
    kept, dropped = read(
        cli, tmp_path,
        (ask, "input: 1\noutput: 2"),
        (f"{ask} |EoS|", "input: 2\noutput: 4"),
        (ask, "input: 1\noutput: two"),
        (ask, "input: 1\n\noutput: 2\n|EoS|"),
    )  # fmt: skip
    assert kept == [(ask, "1", "2"), (ask, "2", "4")]
    assert dropped == ["duplicate"] * 2


def test_completions_of_several_files_are_read_in_their_order(cli: Cli, tmp_path: Path) -> None:
    for name, text in (("one", "output: 1"), ("two", "output: 2")):
        (tmp_path / name).write_text(json.dumps({"instruction": "Count.", "raw_instances": text}) + "\n")
    done = cli("parse", "--instances", "two", "--instances", "one", "--to", "made")
    assert done.returncode == 0
    assert [row["output"] for row in rows(tmp_path / "made")] == ["2"]
    assert [row["reason"] for row in rows(tmp_path / "made.rejected.jsonl")] == ["duplicate"]


SCRIPTS = {
    "Chinese": ("把下面的句子翻译成英文。", "写一首关于春天的短诗。", "春风又绿江南岸。\n\n明月何时照我还。"),
    "Japanese": ("次の文章を要約してください。", "好きな季節とその理由を教えて。", "秋です。\n涼しいから。"),
    "Hindi": ("निम्नलिखित वाक्य का अनुवाद करो।", "भारत की तीन बड़ी नदियों के नाम बताओ।", "गंगा,\n\nयमुना, गोदावरी"),
    "Arabic": ("ترجم الجملة التالية إلى الإنجليزية.", "اكتب قصيدة قصيرة عن البحر والليل.", "بحر جميل\nليل طويل"),
    "emoji": ("Explain the mood of 😀 🎉 🚀 💡 here", "Which of 🍎 🍐 🍊 🍋 🍌 are sour", "🍋\n\n🍊 ^"),
}


def test_texts_of_every_script_are_read_compared_and_kept(cli: Cli, tmp_path: Path) -> None:
    cases: list[Case] = []
    expected = []
    for asked, further, answer in SCRIPTS.values():
        text = f"input: {further}\noutput: {answer}\n|EoS|\n\n" + "\n\n".join(
            f"instruction: {instruction}\noutput: {answer}" for instruction in (asked, further, further)
        )
        cases.append((asked, text))
        expected += [(asked, further, answer), (further, "", answer)]
    kept, dropped = read(cli, tmp_path, *cases)
    assert kept == expected
    assert dropped == ["not_novel"] * 2 * len(SCRIPTS)


def test_windows_line_ends_are_read_like_others(cli: Cli, tmp_path: Path) -> None:
    text = "input: a\n\nb\noutput: c\nd\n|EoS|\n\ninstruction: Compose a couplet about winter rain.\noutput: e\n\nf\n"
    kept, dropped = read(cli, tmp_path, ("Go on.", text.replace("\n", "\r\n")))
    assert kept == [("Go on.", "a\n\nb", "c\nd"), ("Compose a couplet about winter rain.", "", "e\n\nf")]
    assert dropped == []


def test_a_file_that_is_not_one_of_completions_is_refused_with_its_line(cli: Cli, tmp_path: Path) -> None:
    good = json.dumps({"instruction": "Go on.", "raw_instances": "output: a"})
    bad = {
        '{"instruction": "x"}': "raw_instances",
        '{"instruction": "x", "raw_instances": 3}': "raw_instances",
        '{"instruction": "x", "raw_instances": "output: a", "finish_reason": 3}': "finish_reason",
    }
    for line, named in bad.items():
        (tmp_path / "completions").write_text(f"{good}\n{line}\n")
        done = cli("parse", "--instances", "completions", "--to", "made")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "completions:2: " in done.stderr
        assert named in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["completions"]


def test_a_kind_that_is_named_decides_what_an_input_means(cli: Cli, tmp_path: Path) -> None:
    row = {"instruction": "Name a river of Europe, please.", "raw_instances": "input: odd\noutput: Rhine"}
    (tmp_path / "completions").write_text(json.dumps(row) + "\n")
    kept, _, _ = parse(cli, "completions", tmp_path)
    assert kept == [{"instruction": row["instruction"], "input": "odd", "output": "Rhine"}]
    kept, dropped, _ = parse(cli, "completions", tmp_path, "--kind", "output_only")
    assert kept == []
    assert [each["reason"] for each in dropped] == ["unexpected_input"]


# What chat models write


def test_the_words_around_an_example_are_left_out_of_it(cli: Cli, tmp_path: Path) -> None:
    ask = "Spell the number."
    kept, dropped = read(
        cli, tmp_path,
        (ask, "Sure! An example:\n\n**Input:** 3\n\n**Output:** three\n\nLet me know if you need more examples!"),
        (ask, "### Input\n4\n\n### Output\nfour"),
        (ask, 'Here it is:\n```json\n{"Input": 5, "Output": "five"}\n```'),
        (ask, f"Instruction: {ask}\nInput: 6\nOutput: six\n\nInput: 7\nOutput: seven"),
    )  # fmt: skip
    assert kept == [(ask, "3", "three"), (ask, "4", "four"), (ask, "5", "five"), (ask, "6", "six")]
    assert dropped == ["further_example"]


def test_an_input_that_is_said_not_to_be_there_is_none(cli: Cli, tmp_path: Path) -> None:
    said = ["None", "N/A", "(none)", "<noinput>", "No input", "-"]
    for kind, reason in (("output_only", ""), ("input_output", "no_input")):
        cases = [
            (f"Name a river of Europe, number {at}.", f"Input: {none}\nOutput: Rhine") for at, none in enumerate(said)
        ]
        lines = [json.dumps({"instruction": ask, "raw_instances": text}) + "\n" for ask, text in cases]
        (tmp_path / "completions").write_text("".join(lines))
        kept, dropped, _ = parse(cli, "completions", tmp_path, "--kind", kind)
        assert [(row["input"], row["output"]) for row in kept] == [("", "Rhine")] * (0 if reason else len(said))
        assert [row["reason"] for row in dropped] == ([reason] * len(said) if reason else [])


def test_json_that_ends_in_the_middle_is_cut_off(cli: Cli, tmp_path: Path) -> None:
    kept, dropped = read(cli, tmp_path, ("Spell the number.", '{"input": "3", "output": "thr', "length"))
    assert (kept, dropped) == ([], ["cut_off"])


def test_what_a_model_thought_is_no_part_of_an_example(cli: Cli, tmp_path: Path) -> None:
    ask, thought = "Spell the number.", "I need one.\ninput: maybe 7\noutput: seven"
    kept, dropped = read(
        cli, tmp_path,
        (ask, f"<think>\n{thought}\n</think>\n\ninput: 3\noutput: three"),
        (ask, f"{thought}\n</think>\nInput: 4\nOutput: four<|im_end|>"),
        (ask, f"<think>\n{thought}", "length"),
        (ask, "input: 5\noutput: five"),
    )  # fmt: skip
    assert kept == [(ask, "3", "three"), (ask, "4", "four"), (ask, "5", "five")]
    assert dropped == ["thought_only"]
    (row,) = rows(tmp_path / "made.rejected.jsonl")
    assert row["text"] == f"<think>\n{thought}"
    assert "max_tokens" in row["detail"]


def test_the_profile_published_reads_a_text_with_a_thought_as_it_is(cli: Cli, tmp_path: Path) -> None:
    text = "input: <think>a</think>\noutput: b</s>"
    (tmp_path / "completions").write_text(json.dumps({"instruction": "Go on.", "raw_instances": text}) + "\n")
    kept, _, _ = parse(cli, "completions", tmp_path, "--profile", "published")
    assert kept == [{"instruction": "Go on.", "input": "<think>a</think>", "output": "b</s>"}]
