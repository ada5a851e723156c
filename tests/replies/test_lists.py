# ruff: noqa: RUF001 - letters and marks of other scripts
"""The list of tasks in a chat model's reply: each style, and what stands around the list."""

from __future__ import annotations

import pytest

from ensemble_instruct.replies.lists import Item, read_list

REWRITE = "Rewrite the sentence in the passive voice."
NAME = "Name three rivers in Asia."
TASKS = [Item(REWRITE, ""), Item(NAME, ""), Item("What is 7.5 % of 1984?", "")]


def no(text: str) -> Item:
    return Item(text, "not_a_task")


def cut(text: str) -> Item:
    return Item(text, "cut_off")


def read(reply: str, *, is_cut_off: bool = False) -> list[Item]:
    return list(read_list(reply, continues=False, is_cut_off=is_cut_off))


def listed(*expected: str | Item) -> list[Item]:
    return [item if isinstance(item, Item) else Item(item, "") for item in expected]


STYLES = [
    "25. {0}\n26. {1}\n27. {2}",
    "25) {0}\n26) {1}\n27) {2}",
    "25: {0}\n26: {1}\n27: {2}",
    "(25) {0}\n(26) {1}\n(27) {2}",
    "[25] {0}\n[26] {1}\n[27] {2}",
    "25 - {0}\n26 - {1}\n27 - {2}",
    "25 – {0}\n26 – {1}\n27 – {2}",
    "25.- {0}\n26.- {1}\n27.- {2}",
    "25 . {0}\n26 . {1}\n27 . {2}",
    "25.) {0}\n26.) {1}\n27.) {2}",
    "25 {0}\n26 {1}\n27 {2}",
    "25/ {0}\n26/ {1}\n27/ {2}",
    "25.{0}\n26.{1}\n27.{2}",
    "25\\. {0}\n26\\. {1}\n27\\. {2}",
    "**25.** {0}\n**26.** {1}\n**27.** {2}",
    "**25**. {0}\n**26**. {1}\n**27**. {2}",
    "**25. {0}**\n**26. {1}**\n**27. {2}**",
    "25. **{0}**\n26. *{1}*\n27. ***{2}***",
    '25. "{0}"\n26. “{1}”\n27. «{2}»',
    "25. „{0}“\n26. 「{1}」\n27. `{2}`",
    "25. **Task**: {0}\n26. **Task:** {1}\n27. Task: {2}",
    "25. Instruction: {0}\n26. **INSTRUCTION**: {1}\n27. Task 3 - {2}",
    "25. **Grammar**: {0}\n26. **World Geography:** {1}\n27. **Math** - {2}",
    "25.\n{0}\n26.\n{1}\n27.\n{2}",
    "#25 {0}\n#26 {1}\n#27 {2}",
    "Task 25: {0}\nTask 26: {1}\nTask 27: {2}",
    "**Task 25:** {0}\n**Task 26:** {1}\n**Task 27:** {2}",
    "**Task 25: Grammar**\n{0}\n**Task 26: Geography**\n{1}\n**Task 27: Math**\n{2}",
    "### Task 25: Old rules\n{0}\n\n### Task 26: A far country\n{1}\n\n### Task 27: School sums\n{2}",
    "25. **Old rules**\n   {0}\n\n26. **A far country**\n   {1}\n\n27. **School sums:**\n   {2}",
    "25. {0} 26. {1} 27. {2}",
    "\U0001f4dd 25. {0}\n\u2728 26. {1}\n\u2728 27. {2}",
    "### Task 25\n{0}\n\n### Task 26\n{1}\n\n### Task 27\n{2}",
    "### Task 25: Grammar\n\n{0}\n\n### Task 26: Geography\n\n{1}\n\n### Task 27: Math\n\n{2}",
    "### 25. {0}\n### 26. {1}\n### 27. {2}",
    "## {0}\n## {1}\n## {2}",
    "Aufgabe 25: {0}\nAufgabe 26: {1}\nAufgabe 27: {2}",
    "Tâche 25 : {0}\nTâche 26 : {1}\nTâche 27 : {2}",
    "任务25：{0}\n任务26：{1}\n任务27：{2}",
    "第一题：{0}\n第二题：{1}\n第三题：{2}",
    "２５．{0}\n２６．{1}\n２７．{2}",
    "25、{0}\n26、{1}\n27、{2}",
    "一、{0}\n二、{1}\n三、{2}",
    "٢٥. {0}\n٢٦. {1}\n٢٧. {2}",
    "① {0}\n② {1}\n③ {2}",
    "1️⃣ {0}\n2️⃣ {1}\n3️⃣ {2}",
    "1. {0}\n1. {1}\n1. {2}",
    "a) {0}\nb) {1}\nc) {2}",
    "A. {0}\nB. {1}\nC. {2}",
    "i. {0}\nii. {1}\niii. {2}",
    "- {0}\n- {1}\n- {2}",
    "* {0}\n* {1}\n* {2}",
    "+ {0}\n+ {1}\n+ {2}",
    "• {0}\n• {1}\n• {2}",
    "– {0}\n– {1}\n– {2}",
    "- [ ] {0}\n- [ ] {1}\n- [x] {2}",
    "- 25. {0}\n- 26. {1}\n- 27. {2}",
    "- **Task:** {0}\n- **Task:** {1}\n- **Task:** {2}",
    '- task: "{0}"\n- task: "{1}"\n- task: "{2}"',
    "Task: {0}\nTask: {1}\nTask: {2}",
    "**Instruction:**\n{0}\n\n**Instruction:**\n{1}\n\n**Instruction:**\n{2}",
    "> 25. {0}\n> 26. {1}\n> 27. {2}",
    "  25. {0}\n  26. {1}\n  27. {2}",
    "25. {0}\n---\n26. {1}\n---\n27. {2}",
    "| 25 | {0} |\n| 26 | {1} |\n| 27 | {2} |",
    "<ol>\n<li>{0}</li>\n<li>{1}</li>\n<li>{2}</li>\n</ol>",
    '<task id="25">{0}</task>\n<task id="26">{1}</task>\n<task id="27">{2}</task>',
    "{0}\n{1}\n{2}",
]


@pytest.mark.parametrize("style", STYLES)
def test_a_list_of_each_style_is_read_alone_and_with_what_stands_around_it(style: str) -> None:
    reply = style.format(*(item.text for item in TASKS))
    assert read(reply) == TASKS
    assert read(reply.replace("\n", "\r\n")) == TASKS
    assert read(reply.replace("\n", "\n\n")) == TASKS
    before, after = no("Sure! Here are more tasks:"), no("Let me know if you'd like more!")
    assert read(f"{before.text}\n\n{reply}\n\n{after.text}\n") == [before, *TASKS, after]
    assert read(f"{before.text}\n{reply}") == [before, *TASKS]
    assert read(f"{before.text}\n```\n{reply}\n```\n{after.text}") == [before, *TASKS, after]
    assert read(f"## Tasks\n\n{reply}\n\n---\n\n{after.text}") == [no("## Tasks"), *TASKS, after]


IN_JSON = [
    '["{0}", "{1}", "{2}"]',
    '[\n  "{0}",\n  "{1}",\n  "{2}",\n]',
    '["25. {0}", "26. {1}", "27. {2}"]',
    '[{{"task": "{0}"}}, {{"task": "{1}"}}, {{"task": "{2}"}}]',
    '[{{"id": 1, "instruction": "{0}", "input": ""}}, {{"task": "{1}"}}, {{"task": "{2}", "options": ["a"]}}]',
    '{{"tasks": ["{0}", "{1}", "{2}"]}}',
    '{{"tasks": [{{"task": "{0}"}}, {{"task": "{1}"}}, {{"task": "{2}"}}]}}',
    '{{"task_1": "{0}", "task_2": "{1}", "task_3": "{2}"}}',
    '{{"instruction": "{0}"}}\n{{"instruction": "{1}"}}\n{{"instruction": "{2}"}}',
    '[{{"aufgabe": "{0}"}}, {{"aufgabe": "{1}"}}, {{"aufgabe": "{2}"}}]',
    "['{0}', '{1}', '{2}']",
]


@pytest.mark.parametrize("style", IN_JSON)
def test_tasks_as_json_are_read_in_a_fence_or_not_and_with_text_around_them(style: str) -> None:
    reply = style.format(*(item.text for item in TASKS))
    assert read(reply) == TASKS
    assert read(f"Here are more tasks:\n\n```json\n{reply}\n```\n\nEnjoy!") == [
        no("Here are more tasks:"), *TASKS, no("Enjoy!"),
    ]  # fmt: skip
    assert read(f"Voilà d'autres tâches.\n{reply}") == [no("Voilà d'autres tâches."), *TASKS]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (f'["{REWRITE}", "{NAME}", "Describe the se', listed(REWRITE, NAME, cut("Describe the se"))),
        (f'```json\n["{REWRITE}", "{NAME}",', listed(REWRITE, NAME)),
        (f'["{REWRITE}", "{NAME}"]\n``', listed(REWRITE, NAME)),
        (f'{{"tasks": [{{"task": "{REWRITE}"}}, {{"task": "Name th', listed(REWRITE, cut("Name th"))),
        (f'[{{"task": "{REWRITE}"}}, {{"task": "{NAME}", "inp', listed(REWRITE, NAME)),
        ('["Write a text on \\"caf\\u00e9\\" and sn\\u00', listed(cut('Write a text on "café" and sn'))),
        (f'["{REWRITE}", "Say \\ud83d\\ude00 to th\\ud83d', listed(REWRITE, cut("Say 😀 to th"))),
    ],
)
def test_of_json_that_is_cut_off_the_whole_texts_are_tasks(reply: str, expected: list[Item]) -> None:
    assert read(reply, is_cut_off=True) == expected


def test_quotation_marks_that_are_not_escaped_do_not_end_a_text_on_a_line_of_its_own() -> None:
    assert read(f'["{REWRITE}",\n "Explain "irony" to me.",\n "{NAME}"]') == listed(
        REWRITE, 'Explain "irony" to me.', NAME
    )


@pytest.mark.parametrize(
    "reply", ['Sort the words: ["pear", "apple"].', '25. Sort the list ["a b c", "d e f"].', "Sort it:\n[3, 1, 2]"]
)
def test_an_array_in_a_task_is_text(reply: str) -> None:
    (item,) = read(reply)
    assert item.reason == ""
    assert item.text.endswith(("].", "2]"))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("25. Rewrite the\n    sentence.\n26. Name\n    a river.", listed("Rewrite the sentence.", "Name a river.")),
        ("25. Rewrite the\nsentence.\n26. Name\nthree rivers.", listed("Rewrite the sentence.", "Name three rivers.")),
        (
            "25. Which one is a fruit?\n   A) apple\n   B) car\n26. Sort the list:\n   - pear\n   - fig\n27. Sing.",
            listed("Which one is a fruit? A) apple B) car", "Sort the list: - pear - fig", "Sing."),
        ),
        (
            "25. Which one is a fruit?\nA) apple\nB) car\n\n26. Which one is a car?\nA) apple\nB) car",
            listed("Which one is a fruit? A) apple B) car", "Which one is a car? A) apple B) car"),
        ),
        ("25. Choose: 1. Cat. 2. Dog. 3. Fox.\n26. Sing.", listed("Choose: 1. Cat. 2. Dog. 3. Fox.", "Sing.")),
        ("25. Choose: 1. Cat. 2. Dog. 3. Fox.", listed("Choose: 1. Cat. 2. Dog. 3. Fox.")),
        ("25. **In three words**\nDescribe a lake.\n26. Sing.", listed("In three words Describe a lake.", "Sing.")),
        ("1. Choose one:\n1. cat\n2. dog\n2. Name a river.", listed("Choose one: 1. cat 2. dog", "Name a river.")),
        (
            "1. Choose one:\n   1. cat\n   2. dog\n2. Name a river.\n3. Sing.",
            listed("Choose one: 1. cat 2. dog", "Name a river.", "Sing."),
        ),
        (
            "25. Explain this:\n```python\n1. x\n- y\n```\n26. Name a river.\n\n```\n27. z\n```",
            listed("Explain this: ```python 1. x - y ```", "Name a river. ``` 27. z ```"),
        ),
        (
            "25. Translate it.\n\nInput: chien\n\n26. Sum it up.\n\nText: The dog ran.\n\nBonne journée à vous.",
            listed("Translate it. Input: chien", "Sum it up. Text: The dog ran.", no("Bonne journée à vous.")),
        ),
        ("26. Sum up the text:\n\nThe dog ran away.", listed("Sum up the text: The dog ran away.")),
        ("25. Which year was it?\n1945. 1939.\n26. Sing.", listed("Which year was it? 1945. 1939.", "Sing.")),
        ("1. **Poems**\n   - Write a haiku.\n2. **Math**\n   - Solve x = 2.", listed("Write a haiku.", "Solve x = 2.")),
    ],
)  # fmt: skip
def test_what_belongs_to_an_item_stays_in_it(reply: str, expected: list[Item]) -> None:
    assert read(reply) == expected


@pytest.mark.parametrize(
    "task",
    [
        "3 ways to cook an egg are what?",
        "2 + 2 = ?",
        "2 - 1 = ?",
        "1984 was written by whom?",
        "1984: who wrote it?",
        "7.5 is half of what?",
        "24/7 means what?",
        "12:30 is how long before noon?",
        '"Hello" means what in French?',
        '"Yes" or "No"?',
        "“Yes” or “No”?",
        "'Tis the season for what?",
        "Use **bold** words and `code` in a text.",
        "Write a poem; each line: one word.",
        "*args in Python is what?",
        "__init__ in Python does what?",
        "-5 + 3 = ?",
        "(a) or (b)?",
        "¿Qué es un río?",
        "Task management is what?",
        "Note the time in a sentence.",
        "Sure thing means what?",
        "Here is what I need: a poem about rain.",
        "If you could fly, where would you go?",
        "Summarize the following text:",
    ],
)
def test_what_looks_like_a_marker_or_a_label_stays_in_a_task(task: str) -> None:
    assert read(f"25. {task}\n26. {NAME}\n27. {task}") == listed(task, NAME, task)
    assert read(f"- {task}\n- {NAME}\n- {task}") == listed(task, NAME, task)
    assert read(task) == listed(task)
    assert read(f"25. {task}") == listed(task)


@pytest.mark.parametrize(
    ("stated", "task"),
    [
        ("**Translate**: The cat is on the mat.", "Translate: The cat is on the mat."),
        ("**Translate to French:** The cat is on the mat.", "Translate to French: The cat is on the mat."),
        ("**Describe** a lighthouse.", "Describe a lighthouse."),
        ("**Poetry**: Write a haiku about rain", "Write a haiku about rain"),
        ("**Poetry**: rain", "Poetry: rain"),
        ('"Rewrite it.",', "Rewrite it."),
        ('**"Rewrite it."**', "Rewrite it."),
        ("**Task**: **Rewrite it.**", "Rewrite it."),
        ('"Say "hi" to her."', 'Say "hi" to her.'),
        ("'Don't stop it.'", "Don't stop it."),
        ("- Rewrite it.", "Rewrite it."),
        ("25. Rewrite it.", "Rewrite it."),
        ("Rewrite it. |EoS|", "Rewrite it."),
    ],
)
def test_what_only_wraps_a_task_goes(stated: str, task: str) -> None:
    assert read(f"25. {stated}\n26. {NAME}") == listed(task, NAME)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (f"好的，以下是更多任务：\n25. {NAME}\n26. {REWRITE}", listed(no("好的，以下是更多任务："), NAME, REWRITE)),
        (f"Mam tu kilka pomysłów.\n\n- {NAME}\n- {REWRITE}", listed(no("Mam tu kilka pomysłów."), NAME, REWRITE)),
        (f"- {NAME}\n- {REWRITE}\n\nMam ich jeszcze wiele.", listed(NAME, REWRITE, no("Mam ich jeszcze wiele."))),
        (
            f"1. {NAME}\n\n2. {REWRITE}\n\nMam ich jeszcze wiele.\n\nDo zobaczenia.",
            listed(NAME, REWRITE, no("Mam ich jeszcze wiele."), no("Do zobaczenia.")),
        ),
        (f"1. {NAME}\n2. {REWRITE}\nFeel free to ask more.", listed(NAME, REWRITE, no("Feel free to ask more."))),
        (f"1. {NAME}\n2. {REWRITE}\n3. Sing.\nMam ich wiele.", listed(NAME, REWRITE, "Sing.", no("Mam ich wiele."))),
        (
            f"- {NAME}\n- {REWRITE}\n\nWould you like me to:\n- write more\n- make them harder",
            listed(NAME, REWRITE, no("Would you like me to: - write more - make them harder")),
        ),
        (
            f"1. {NAME}\n2. {REWRITE}\n\nNotes:\n- All are text only.\n- None has an input.",
            listed(NAME, REWRITE, no("Notes: - All are text only. - None has an input.")),
        ),
        (
            f"1. {NAME}\n2. {REWRITE}\n\nHere are some more.\n\n1. Sing a song.\n2. Draw a cat.",
            listed(NAME, REWRITE, no("Here are some more."), "Sing a song.", "Draw a cat."),
        ),
        (
            f"25. {NAME}\n26. {REWRITE}\n\nNow harder ones:\n\n27. Sing a song.\n28. Draw a cat.",
            listed(NAME, REWRITE, no("Now harder ones:"), "Sing a song.", "Draw a cat."),
        ),
        (
            f"**Words**\n1. {NAME}\n**Songs**\n2. Sing a song.\n\n## Last\n\n3. {REWRITE}",
            listed(no("**Words**"), NAME, no("**Songs**"), "Sing a song.", no("## Last"), REWRITE),
        ),
        (
            f"Come up with a series of tasks:\n1. {NAME}\n2. {REWRITE}\n3.",
            listed(no("Come up with a series of tasks:"), NAME, REWRITE),
        ),
        (f"Here are more: 25. {NAME}\n26. {REWRITE}", listed(no("Here are more:"), NAME, REWRITE)),
        (f"Here you go\n25. {NAME}", listed(no("Here you go"), NAME)),
        (
            f"| # | Task |\n|---|------|\n| 1 | {NAME} |\n| 2 | {REWRITE} |\n\nBye.",
            listed(no("| # | Task |"), NAME, REWRITE, no("Bye.")),
        ),
        (
            "- Words:\n  1. Name a river.\n  2. List two nouns.\n- Songs:\n  1. Write a song.\n  2. Rewrite a hymn.",
            listed(no("Words:"), "Name a river.", "List two nouns.", no("Songs:"), "Write a song.", "Rewrite a hymn."),
        ),
    ],
)  # fmt: skip
def test_what_stands_around_a_list_is_no_task(reply: str, expected: list[Item]) -> None:
    assert read(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (NAME, listed(NAME)),
        (f"Sure! {NAME}", listed(no("Sure!"), NAME)),
        (f"Sure, here is another task: {NAME}", listed(no("Sure, here is another task:"), NAME)),
        ("Sure! Here are more tasks:", listed(no("Sure! Here are more tasks:"))),
        ("I'm sorry, but I can't help with that.", listed(no("I'm sorry, but I can't help with that."))),
        ("Es tut mir leid, das geht nicht.", listed(no("Es tut mir leid, das geht nicht."))),
        (f"{NAME}\n\n{REWRITE}", listed(NAME, REWRITE)),
        (f"Zadania:\n{NAME}\n{REWRITE}\nI hope it does.", listed(no("Zadania:"), NAME, REWRITE, no("I hope it does."))),
        (f"{NAME}\n{REWRITE}\n\nMam ich wiele.", listed(NAME, REWRITE, no("Mam ich wiele."))),
        ("Write a poem about\nthe rain in spring.", listed("Write a poem about the rain in spring.")),
        (f"### Words\n{NAME}\n\n### Style\n{REWRITE}", listed(no("### Words"), NAME, no("### Style"), REWRITE)),
    ],
)  # fmt: skip
def test_a_reply_without_markers_states_a_task_in_each_sentence_or_paragraph(reply: str, expected: list[Item]) -> None:
    assert read(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (f"25. {NAME}\n26. Rewrite th", listed(NAME, cut("Rewrite th"))),
        (f"25. {NAME}\n26. {REWRITE} |EoS|", listed(NAME, REWRITE)),
        (f"25. {NAME}\n26.", listed(NAME)),
        (f"25. {NAME}\n26. {REWRITE}\n\nLet me kn", listed(NAME, REWRITE, no("Let me kn"))),
        (f"Sure!\n\n{NAME}\n\nRewrite th", listed(no("Sure!"), NAME, cut("Rewrite th"))),
        ("Rewrite th", listed(cut("Rewrite th"))),
        (f"```\n25. {NAME}\n26. Rewrite th", listed(NAME, cut("Rewrite th"))),
    ],
)
def test_the_token_limit_cuts_off_the_last_task_alone(reply: str, expected: list[Item]) -> None:
    assert read(reply, is_cut_off=True) == expected


@pytest.mark.parametrize("reply", ["", " \n\n ", "---", "25.", "|EoS|", "```\n```", "[]"])
def test_a_reply_that_says_nothing_is_one_empty_item(reply: str) -> None:
    assert read(reply) == [Item("", "")]
