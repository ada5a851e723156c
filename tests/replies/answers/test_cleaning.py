"""What goes of a chat model's answer, and what stays because it is the answer or because the task asks for it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.replies.answers import clean_answer

TASK = "What is the capital of France?"
EMAIL = "Write an e-mail to Tom about the new opening hours."
LETTER = "Dear Tom,\n\nWe open at 9.\n\nPlease let me know if you have any questions.\n\nBest regards,\nAnna"
CODE = "```python\ndef add(a, b):\n    return a + b\n```"

LABELLED = [
    ("Output: Paris.", "Paris.", "Output:"),
    ("ANSWER: Paris.", "Paris.", "ANSWER:"),
    ("response:Paris.", "Paris.", "response:"),
    ("**Answer:** Paris.", "Paris.", "**Answer:**"),
    ("**Answer**: Paris.", "Paris.", "**Answer**:"),
    ("*Answer*: Paris.", "Paris.", "*Answer*:"),
    ("**Answer: Paris.**", "**Paris.**", "Answer:"),
    ("### Answer\n\nParis.", "Paris.", "### Answer"),
    ("## Output:\nParis.", "Paris.", "## Output:"),
    ("**Response**\r\n\r\nParis.", "Paris.", "**Response**"),
    ("The final answer: Paris.", "Paris.", "The final answer:"),
    ("Answer\uff1aParis.", "Paris.", "Answer\uff1a"),
    ("Output:\n\n    a\n    b", "    a\n    b", "Output:"),
    ("  Answer: Paris.  ", "Paris.", "Answer:"),
    ("Answer: Paris.\n\nNote: it lies on the Seine.", "Paris.\n\nNote: it lies on the Seine.", "Answer:"),
]


@pytest.mark.parametrize(("answer", "left", "label"), LABELLED)
def test_a_label_goes(answer: str, left: str, label: str) -> None:
    assert clean_answer(answer, TASK) == (left, (label,))


@pytest.mark.parametrize(
    ("answer", "task"),
    [
        ("Answer: Paris", "Question: what is the capital of France?\nAnswer:"),
        ("Output: He goes.", "Correct the sentence.\nInput: He go.\nOutput:"),
        ("Output: 3", "Input: a b\nOutput: 2\n\nInput: a b c\nOutput:"),
        ("Answer: - Paris", "Format your answer as a list. Which cities are there?"),
        ("Answer: Paris", "Start your answer with a capital letter. What is the capital of France?"),
    ],
)
def test_a_label_goes_where_the_task_ends_in_it_or_speaks_of_the_answer(answer: str, task: str) -> None:
    assert clean_answer(answer, task).text == answer.partition(": ")[2]


FRAMED = [
    ("Sure! Here is the answer:\n\nParis.\n\nLet me know if you need anything else!", TASK, "Paris."),
    ("Sure!\n\nParis.", TASK, "Paris."),
    ("Sure!\nHere is the answer:\nParis.", TASK, "Paris."),
    ("Great question!\n\nParis.", TASK, "Paris."),
    ("Hello! Here's your answer:\n\nParis.", TASK, "Paris."),
    ("**Sure! Here is the answer:**\n\nParis.", TASK, "Paris."),
    ("Sure \U0001f60a Here is the answer:\r\n\r\nParis.\r\n\r\nHope this helps!\r\n", TASK, "Paris."),
    ("Here you go:\n\nParis.", TASK, "Paris."),
    ("The answer is:\n\nParis.", TASK, "Paris."),
    ("Thank you for your question! Here's the answer:\n\nParis.", TASK, "Paris."),
    ("Certainly, here's the rewritten sentence:\n\nIt ran.", "Here is a sentence:\nIt run.\nRewrite it.", "It ran."),
    ("I've rewritten the sentence for you:\n\nIt ran.", "Rewrite the sentence: It run.", "It ran."),
    ("The corrected sentence is:\n\nIt ran.", "Correct: It run.", "It ran."),
    ("Sure! Translation:\n\nHola", "Translate into Spanish: Hello", "Hola"),
    ("Here are three colours:\n\n- red\n- blue", "Name three colours.", "- red\n- blue"),
    ("Okay, here are some colours:\n- red\n- blue", "Name colours.", "- red\n- blue"),
    ("Sure, I can help with that! Here are some tips.\n\n1. Sleep", "How to relax?", "1. Sleep"),
    ("Based on the text, here is a summary:\n\nIt rains.", "Summarise: rain falls.", "It rains."),
    ("Here's a summary of the text.\n\nIt rains.", "Summarise: rain falls.", "It rains."),
    (
        "Below is a list of pros and cons:\n\n**Pros:**\n- a\n\n**Cons:**\n- b",
        "Cars?",
        "**Pros:**\n- a\n\n**Cons:**\n- b",
    ),
    ("Here's a poem about the sea:\n\nBlue.", "Write a poem about the sea.", "Blue."),
    ("Sure! Once more, here it is:\n\nBlue.\n\nI hope you like it!", "Write a poem.", "Blue."),
    (f"Here is the function:\n\n{CODE}\n\nLet me know if you have any questions!", "Write a function.", CODE),
    ("Paris.\n\nI hope this helps! Let me know if you have any other questions. Good luck!", TASK, "Paris."),
    ("Paris.\n\nI hope this helps!\n\nFeel free to ask if you need more.", TASK, "Paris."),
    ("Paris.\n\nWould you like me to explain why?", TASK, "Paris."),
    ("Paris.\n\nIs there anything else you'd like to know?", TASK, "Paris."),
    ("Paris.\n\nIf you'd like, I can also list other cities.", TASK, "Paris."),
    ("Paris.\n\n(Let me know if you'd like more details.)", TASK, "Paris."),
    ("Paris.\nLet me know if you need anything else!", TASK, "Paris."),
    ("Paris.\n\n---\n\nLet me know if you'd like more.", TASK, "Paris."),
    (f"Sure! Here's an e-mail:\n\n---\n\n{LETTER}\n\n---\n\nWould you like me to make it shorter?", EMAIL, LETTER),
    (f"{LETTER}\n\nLet me know if you'd like any changes!", EMAIL, LETTER),
    ('Here\'s a tweet:\n\n"Sun! #sun"\n\nFeel free to ask for another!', "Write a tweet.", '"Sun! #sun"'),
    ("Here's a short message:\n\nWe open at 9.\n\nLet me know if you'd like a different tone.", EMAIL, "We open at 9."),
    ("Here is it:\n\n```\nAnswer: Paris.\n```\n\nDoes that help?", TASK, "Paris."),
]


@pytest.mark.parametrize(("answer", "task", "left"), FRAMED)
def test_what_only_announces_and_what_only_offers_more_go(answer: str, task: str, left: str) -> None:
    cleaned = clean_answer(answer, task)
    assert cleaned.text == left
    places = [answer.find(part) for part in cleaned.removed]
    assert -1 not in places
    assert all(part == part.strip() != "" for part in cleaned.removed)


def test_what_was_taken_away_is_told_in_its_order() -> None:
    answer = (
        "Sure! Here is the answer:\n\n```\nOutput: Paris.\n```\n\nI hope this helps!\n\nLet me know if you need more."
    )
    assert clean_answer(answer, TASK) == (
        "Paris.",
        ("Sure! Here is the answer:", "```", "Output:", "```", "I hope this helps!", "Let me know if you need more."),
    )


@pytest.mark.parametrize(
    "fenced", ["```\n{}\n```", "~~~\n{}\n~~~", "````\r\n{}\r\n````", "```{}```", "  ```  \n{}\n  ```"]
)
def test_a_fence_that_names_no_language_goes(fenced: str) -> None:
    assert clean_answer(fenced.format("Paris."), TASK).text == "Paris."


STAYS = [
    # labels that are asked for, or part of a structure
    ("Answer: Paris", "What is the capital of France? Begin your reply with 'Answer:'."),
    ("Answer: Paris", 'What is the capital of France? Start with the word "Answer".'),
    ("Answer: Paris", "Reply in the format Question: ... Answer: ... please."),
    ("Output: 5", "Fill in the form: Input: 2+3, Output: ?"),
    ("Answer: Paris\nExplanation: it is the seat of the government.", TASK),
    ("**Answer:** B\n\n**Reasoning:** C is too big.", "A, B or C?"),
    ("### Answer\n\nB\n\n### Explanation\n\nC is too big.", "A, B or C?"),
    ("Answer: B. Explanation: C is too big.", "A, B or C?"),
    ("Question: what?\nAnswer: that.", "Write a question and its answer."),
    ("Answer: that.\nQuestion: what?\nAnswer: this.", "Go on."),
    ("output: file\nformat: text", "Show the settings."),
    ("# Output\nprint(5)", "Write Python code that prints 5."),
    ("Answer: yes", "Übersetze ins Englische:\nAntwort: ja"),
    ("Answering machines are old.", "What are they?"),
    ("Response to the complaint:\nWe are sorry.", "What did they write?"),
    ("Output:", TASK),
    # announcements that are the answer, or the heading of a part of it
    ("The three primary colours are:\n\n- red\n- blue\n- yellow", "What are they?"),
    ("Sure! Here is the answer:", "What does a robot say first?"),
    ("Sure!", "Shall we go?"),
    ("Sure enough, the dog came back:\n\nit was wet.", "Go on."),
    ("Sure! Paris is the capital. It has these sights:\n\n- the Louvre", TASK),
    ("Of course it rained.\n\nWe stayed at home.", "Write a story."),
    ("Absolutely!\n\nIt keeps you fit.", "Is sport good for you?"),
    ("Here is the sea:\nit is blue.\nHere is the land.", "Write a poem."),
    ("Here's what you need:\n\n- flour\n\nInstructions:\n\n1. Mix it.", "Give a recipe for bread."),
    ("Here are the pros:\n- cheap\n\nHere are the cons:\n- slow", "Pros and cons of buses?"),
    ("Here is New York.\n\nIt is big.", "Describe the photo."),
    ("Of course! Here is the menu:\n\n- soup", "A customer asks for the menu. What does the waiter say?"),
    ("Hello! Here are the new hours:\n\n- 9 to 5", EMAIL),
    ("Voici les horaires :\n\n- 9 h", "Translate into French:\n\nHere are the hours:\n\n- 9 am"),
    ('Sure! Here it is:\n\nParis.', 'Begin with "Sure! Here it is:", then name the capital of France.'),
    # offers that are the answer
    ("Let me know if you need anything else!", TASK),
    (LETTER, EMAIL),
    ("Dear Tom,\n\nWe open at 9.\n\nPlease let me know if you have any questions.", EMAIL),
    ("Dear Tom,\n\nWe open at 9.\n\nPlease let me know if you have any questions.", TASK),
    ("Subject: hours\n\nWe open at 9.\n\nFeel free to ask if you need more.", TASK),
    ("We open at 9.\n\nLet me know if you have any questions!", "Reply to the customer."),
    ("Thank you for asking.\n\nLet me know if you need more.", "How should the agent respond to the customer?"),
    ("Tom: Hi!\n\nAnna: Let me know if you need anything!", "Write a dialogue."),
    ('He left.\n\n"Let me know if you need anything else," she said.', "Write a story."),
    ("It was late.\n\n> Let me know if you need more.", "Quote her."),
    ("Mix it.\n\nFeel free to add more salt if you like.", "Give a recipe."),
    ("Mix it and bake it.\n\nEnjoy!", "Give a recipe."),
    ("Rest.\n\nIf you have questions, please ask your doctor.", "What to do about a cold?"),
    ("Call us.\n\nIf you have any questions, contact the office at 555-0100.", "Write a notice."),
    ("1. Would you like me to help?\n\n2. Would you like to know more?", "Offer help twice."),
    ("Watch it.\n\nLet me know in the comments if you liked it!", "Finish the text of the video."),
    ("Nous ouvrons à 9 h.\n\nN'hésitez pas à me demander.", "Translate: We open at 9.\n\nFeel free to ask me."),
    ("You and I.\n\nIf you are lost, I am here for you.", "Write a song."),
    # fences
    (CODE, "Write a function."),
    ("```\nprint(5)\n```", "Write code that prints 5."),
    ("```\ndef add(a, b):\n    return a + b\n```", "Add two numbers."),
    ("```text\nParis.\n```", TASK),
    ("```\na\n```\n\n```\nb\n```", "Show both."),
    ("```\nParis.\n\nLet me know if you need more.", TASK),
    ("```\n```", TASK),
    # and what has nothing of these
    ("Paris.", TASK),
    ("", TASK),
    ("  \n", TASK),
    ("| a | b |\n|---|---|\n| 1 | 2 |", "Make a table."),
    ("<p>Here is it:</p>\n\n<p>Paris</p>", TASK),
    ("Roses are red,\nviolets are blue.\n\nSugar is sweet,\nand so are you.", "Write a poem."),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "task"), STAYS)
def test_what_the_task_asks_for_and_what_is_the_answer_stay(answer: str, task: str) -> None:
    cleaned = clean_answer(answer, task)
    assert cleaned.text is answer
    assert cleaned.removed == ()


def test_what_a_long_task_asks_for_is_read_at_its_two_ends() -> None:
    text = "It rains. " * 10_000
    assert clean_answer("Answer: rain", f"{text}\nBegin with 'Answer:'").removed == ()
    assert clean_answer("Answer: rain", f"Begin with 'Answer:'\n{text}").removed == ()


OPENINGS = ["", "Sure!\n\n", "Sure! Here is the answer:\n\n", "Certainly, here's the text:\n", "Here you go:\r\n\r\n"]
CLOSINGS = ["", "\n\nI hope this helps!", "\r\n\r\nLet me know if you need anything else!", "\n\nShall I continue?"]
LABELS = ["", "Output: ", "**Answer:**\n", "### Response\n\n", "Final answer: "]
FENCES = ["{}", "```\n{}\n```", "~~~~\r\n{}\r\n~~~~"]
WORDS = st.lists(st.sampled_from(["red", "blue", "12", "été", "红", "a-b", "it"]), min_size=1, max_size=6).map(" ".join)
PLAIN = st.lists(WORDS, min_size=1, max_size=6).flatmap(
    lambda lines: st.sampled_from(["\n", "\n\n", "\r\n", "\n- "]).map(lambda end: end.join(lines))
)


@settings(deadline=None)
@given(
    answer=PLAIN, opening=st.sampled_from(OPENINGS), closing=st.sampled_from(CLOSINGS), label=st.sampled_from(LABELS),
    fence=st.sampled_from(FENCES),
)  # fmt: skip
def test_any_frame_comes_off(answer: str, opening: str, closing: str, label: str, fence: str) -> None:
    framed = f"{opening}{fence.format(label + answer)}{closing}"
    cleaned = clean_answer(framed, TASK)
    assert cleaned.text == answer
    assert bool(cleaned.removed) == (framed != answer)
    assert clean_answer(cleaned.text, TASK) == (answer, ())


PIECES = st.sampled_from(
    [*OPENINGS, *CLOSINGS, *LABELS, "```", "~~~\n", "\n", "Dear Tom,\n", "---\n\n", "Paris. ", "x"]
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join), st.sampled_from([TASK, EMAIL, "Write code.", "Write a poem.", ""]))
def test_nothing_but_parts_of_the_text_goes_and_a_clean_answer_stays_as_it_is(answer: str, task: str) -> None:
    cleaned = clean_answer(answer, task)
    assert cleaned.text in answer
    assert cleaned.text.strip() or not answer.strip()
    assert clean_answer(cleaned.text, task) == (cleaned.text, ())


@pytest.mark.parametrize("tag", ["answer", "output", "response", "final_answer", "Answer"])
def test_a_tag_around_all_of_an_answer_goes(tag: str) -> None:
    shut = f"</{tag}>"
    assert clean_answer(f"<{tag}>\nParis.\n{shut}", TASK) == ("Paris.", (f"<{tag}>", shut))


@pytest.mark.parametrize(
    ("answer", "task"),
    [
        ("<answer>Paris.</answer>", "What is the capital of France? Put your answer between <answer> tags."),
        ("<response><code>7</code></response>", "Write an XML document with the number seven in it."),
        ("<answer>Paris.</answer> <answer>Lyon.</answer>", TASK),
        ("<answer>Paris.", TASK),
        ("<p>Paris.</p>", TASK),
        ("<answer></answer>", TASK),
    ],
)
def test_a_tag_stays_where_the_task_is_about_tags_or_it_is_another_thing(answer: str, task: str) -> None:
    assert clean_answer(answer, task).text == answer
