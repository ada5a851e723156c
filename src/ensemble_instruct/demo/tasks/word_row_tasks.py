"""Families whose input is a row of words."""

from __future__ import annotations

from random import Random

from ensemble_instruct.demo.tasks.families import Family, Values, one_of
from ensemble_instruct.demo.tasks.words import WORDS

SEPARATORS = {"hyphens": "-", "slashes": "/", "plus signs": "+", "commas": ", ", "the word and": " and "}
_WHICH = {"second": 1, "third": 2}


def _some_words(rng: Random, _values: Values) -> str:
    return " ".join(rng.sample(WORDS, rng.randint(3, 5)))


def _with_old(rng: Random, values: Values) -> str:
    words = rng.sample(WORDS, rng.randint(2, 4))
    if values["old"] not in words:
        words[rng.randrange(len(words))] = values["old"]
    return " ".join(words)


def _replaced(values: Values, task_input: str) -> str:
    words = task_input.split()
    if values["new"] in words or values["old"] not in words:
        raise ValueError
    return " ".join(values["new"] if word == values["old"] else word for word in words)


def _perhaps_with(rng: Random, values: Values) -> str:
    return _with_old(rng, {"old": values["word"]}) if rng.random() < 0.5 else _some_words(rng, values)


WORD_ROW_FAMILIES = (
    Family(
        name="reverse_words",
        wordings=(
            "Write the words in reverse order.",
            "Turn the order of the words around.",
            "Begin with the final word and end with the first one.",
            "Read this line from right to left, word by word.",
            "List everything backwards, but keep each word whole.",
            "Swap the sequence so that what came last comes first.",
            "Start from the end and repeat each word of the text.",
            "Flip the given row of words.",
            "What do you get when the words stand the other way round?",
            "Put the words below into the opposite order.",
        ),
        unseen_wordings=(
            "Give me these words in backward order.",
            "Write the line again, from its last word to its first word.",
        ),
        answer=lambda _, task_input: " ".join(reversed(task_input.split())),
        make_input=_some_words,
    ),
    Family(
        name="first_word",
        wordings=(
            "Write only the first word.",
            "With which word does the text start?",
            "Copy the word that stands at the beginning.",
            "Keep the opening word and drop all others.",
            "Tell me the word on the far left.",
            "Which of these words comes before all the rest?",
            "Name the initial word of this line.",
            "Leave out everything after word number one.",
            "Pick the word that a reader sees at the very start.",
            "Find what is written first here.",
        ),
        unseen_wordings=(
            "Say the first word of the line and nothing more.",
            "What is the word at the start of this text?",
        ),
        answer=lambda _, task_input: task_input.split()[0],
        make_input=_some_words,
    ),
    Family(
        name="last_word",
        wordings=(
            "Write only the last word.",
            "With which word does the text end?",
            "Copy the word that stands at the end.",
            "Keep the final word and drop all others.",
            "Tell me the word on the far right.",
            "Which of these words comes after all the rest?",
            "Name the closing word of this line.",
            "Remove every word except the one that is last.",
            "Pick the word that a reader reaches at the very end.",
            "How does this row of words finish?",
        ),
        unseen_wordings=(
            "Say the last word of the line and nothing more.",
            "What is the word at the end of this text?",
        ),
        answer=lambda _, task_input: task_input.split()[-1],
        make_input=_some_words,
    ),
    Family(
        name="nth_word",
        wordings=(
            "Write only the {which} word.",
            "Which word is the {which} one in this text?",
            "Count from the left and give the {which} word.",
            "Copy the word in {which} place.",
            "What stands at the {which} position?",
            "From this line, choose the {which} word.",
            "I need just the {which} of the words below.",
            "Look at the row and name its {which} word.",
            "Leave everything out but the {which} word.",
            "Say the {which} word aloud.",
        ),
        unseen_wordings=("What is the {which} word of the line?", "Please pick out the {which} word here."),
        answer=lambda values, task_input: task_input.split()[_WHICH[values["which"]]],
        make_input=_some_words,
        slots={"which": one_of(_WHICH)},
    ),
    Family(
        name="without_first_word",
        wordings=(
            "Leave out the first word.",
            "Delete the word at the beginning and keep the rest.",
            "Repeat the text from its second word on.",
            "Drop the opening word of the line.",
            "Everything but the first word should stay.",
            "Cut the leftmost word away.",
            "Skip one word, then copy what follows.",
            "Write what comes after the initial word.",
            "Remove the start of this row, exactly one word.",
            "How does the line read without its first word?",
        ),
        unseen_wordings=(
            "Copy the text but omit its first word.",
            "Take away the word on the left and write the others.",
        ),
        answer=lambda _, task_input: " ".join(task_input.split()[1:]),
        make_input=_some_words,
    ),
    Family(
        name="without_last_word",
        wordings=(
            "Leave out the last word.",
            "Delete the word at the end and keep the rest.",
            "Repeat the text but stop before its final word.",
            "Drop the closing word of the line.",
            "Everything but the last word should stay.",
            "Cut the rightmost word away.",
            "Copy all words up to the one before the end.",
            "Write what comes ahead of the ending word.",
            "Shorten this row at its end by exactly one word.",
            "How does the line read without its last word?",
        ),
        unseen_wordings=(
            "Copy the text but omit its last word.",
            "Take away the word on the right and write the others.",
        ),
        answer=lambda _, task_input: " ".join(task_input.split()[:-1]),
        make_input=_some_words,
    ),
    Family(
        name="count_words",
        wordings=(
            "Count the words in this text.",
            "How many words are there?",
            "Give the number of words as a figure.",
            "Tell me how long the line is, measured in words.",
            "What is the word count of the row below?",
            "Find out how many words were written here.",
            "State the total of words.",
            "Of how many words does this line consist?",
            "Put down a number that says how many words you see.",
            "Determine the amount of words given.",
        ),
        unseen_wordings=("How many words does the text have?", "Write the number of words that stand in the line."),
        answer=lambda _, task_input: str(len(task_input.split())),
        make_input=lambda rng, _: " ".join(rng.sample(WORDS, rng.randint(2, 6))),
    ),
    Family(
        name="join_words",
        wordings=(
            "Join the words with {mark} between them.",
            "Put {mark} where the spaces are.",
            "Connect all words by {mark}.",
            "Write the row again, using {mark} instead of blanks.",
            "Between two words there should be {mark}.",
            "Separate these words by {mark}.",
            "Replace each gap with {mark}.",
            "Use {mark} to link what is written here.",
            "I want {mark} in all the places between words.",
            "Make one chain of the words with the help of {mark}.",
        ),
        unseen_wordings=("Link the words of the text with {mark}.", "Write the words with {mark} in place of spaces."),
        answer=lambda values, task_input: SEPARATORS[values["mark"]].join(task_input.split()),
        make_input=lambda rng, _: " ".join(rng.sample(WORDS, rng.randint(2, 4))),
        slots={"mark": one_of(SEPARATORS)},
    ),
    Family(
        name="replace_word",
        wordings=(
            "Replace the word {old} with {new}.",
            "Write {new} wherever {old} stands.",
            "Change {old} to {new} and keep the other words.",
            "Put {new} in the place of {old}.",
            "Instead of {old} the text should say {new}.",
            "Exchange {old} for {new} in this line.",
            "The word {old} is wrong; correct it to {new}.",
            "Take out {old} and insert {new} there.",
            "Copy the row, but let {new} stand for {old}.",
            "Use {new} where you find {old}.",
        ),
        unseen_wordings=("Swap the word {old} for the word {new}.", "Write the text with {new} instead of {old}."),
        answer=_replaced,
        make_input=_with_old,
        slots={"old": one_of(WORDS), "new": one_of(WORDS)},
    ),
    Family(
        name="contains_word",
        wordings=(
            "Does the word {word} occur in the text? Answer yes or no.",
            "Say yes if you find {word} here, otherwise no.",
            "Is {word} one of these words? Reply yes or no.",
            "Check whether the line has {word} in it, yes or no.",
            "Yes or no: {word} is among the words below.",
            "Look for {word} and tell me yes or no.",
            "Can {word} be seen in this row? Yes or no?",
            "Was {word} written here? A yes or a no is enough.",
            "Search the words for {word}; respond yes or no.",
            "If {word} is part of the list write yes, if not write no.",
        ),
        unseen_wordings=(
            "Yes or no, does this line contain {word}?",
            "Is the word {word} in the text? Write yes or no.",
        ),
        answer=lambda values, task_input: "yes" if values["word"] in task_input.split() else "no",
        make_input=_perhaps_with,
        slots={"word": one_of(WORDS)},
    ),
)
