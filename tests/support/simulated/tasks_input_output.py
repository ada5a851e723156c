"""The families of simulated tasks that have an input: their wordings, inputs and right answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from tests.support.simulated.families import Family, Values, number, one_of
from tests.support.simulated.tasks_output_only import (
    DAYS,
    GOODS,
    NAMES,
    ORDER,
    THINGS,
    UNITS,
    WORDS,
    arithmetic_sequence,
    converted,
    initials,
    later,
    next_term,
    numbers,
    ordered,
)

NOUNS = ("box", "bus", "church", "city", "dish", "key", "lamp", "lady", "match", "penny", "river", "table", "toy",
         "berry", "brush", "class", "diary", "garden", "monkey", "window")  # fmt: skip
ADJECTIVES = ("quiet", "clever", "narrow", "golden", "northern", "ancient", "friendly", "modern", "royal", "urban")
JOBS = ("baker", "dentist", "gardener", "librarian", "nurse", "pilot", "plumber", "teacher")
FIELDS = ("name", "age", "city", "job", "phone number")


def _number(text: str) -> int:
    return int(text.split(maxsplit=1)[0])


def _items(text: str) -> list[str]:
    return re.split(r", |\n", text)


def _sort_input(rng: Random, values: Values) -> str:
    return rng.choice((", ", "\n")).join(rng.sample(THINGS[values["things"]], rng.randint(3, 5)))


def _sorted_list(values: Values, given: str) -> str:
    return ("\n" if "\n" in given else ", ").join(ordered(_items(given), values["order"]))


def _extreme(values: Values, pair: Sequence[int]) -> str:
    return str(max(pair) if values["which"] in ("larger", "higher") else min(pair))


def _pair(rng: Random, _values: Values) -> str:
    first, second = rng.sample(range(101, 990), 2)
    return f"{first} and {second}"


def _sentence(rng: Random, _values: Values) -> str:
    adjective, animal = rng.choice(ADJECTIVES), rng.choice(THINGS["animals"])
    verb, thing = rng.choice(("carries", "finds", "paints", "sells", "watches")), rng.choice(THINGS["tools"])
    place = rng.choice(("near the river", "behind a barn", "after breakfast", "in a large garden", "before noon"))
    return f"The {adjective} {animal} {verb} {rng.choice(('a', 'another', 'one', 'some old'))} {thing} {place}."


def _phrase(rng: Random) -> str:
    adjective, thing = rng.choice(ADJECTIVES), rng.choice(("River", "Garden", "Music", "Railway", "Chess", "Book"))
    group = rng.choice(("Society", "Club", "Union", "Council", "Network"))
    return " ".join((adjective.title(), thing, group, *rng.choice(((), ("Trust",), ("Youth", "Section")))))


def _is_prime(value: int) -> bool:
    return value > 1 and all(value % divisor for divisor in range(2, int(value**0.5) + 1))


def _two_lists(rng: Random, values: Values) -> str:
    first = rng.sample(THINGS[values["things"]], 5)
    second = rng.sample(first, 4 if rng.random() < 0.7 else 3)
    return f"first: {', '.join(first)}\nsecond: {', '.join(second)}"


def _both_lists(given: str) -> tuple[list[str], list[str]]:
    first, second = (line.split(": ", 1)[1] for line in given.split("\n"))
    return first.split(", "), second.split(", ")


def _missing(_values: Values, given: str) -> str:
    first, second = _both_lists(given)
    return ", ".join(item for item in first if item not in second)


def _record(rng: Random, _values: Values) -> str:
    facts = (rng.choice(NAMES), rng.randint(19, 78), rng.choice(THINGS["cities"]), rng.choice(JOBS))
    lines = [f"{name}: {fact}" for name, fact in zip(FIELDS, (*facts, rng.randint(20000, 98000)), strict=True)]
    return "\n".join(rng.sample(lines, len(lines)))


def _facts(given: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in given.split("\n"))


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


_THINGS = one_of(THINGS)

INPUT_OUTPUT_FAMILIES: tuple[Family, ...] = (
    Family(
        "addition",
        (
            "add {n} to the given number.",
            "what number is {n} more than the one below?",
            "a shop receives {n} more {goods}. From the stock stated, work out how many it has now.",
            "increase the count of {goods} by {n}.",
            "someone already owns the stated number of {goods} and buys another {n}. What is the new total?",
        ),
        {"n": number(6, 97), "goods": one_of(GOODS)},
        lambda values, given: str(_number(given) + int(values["n"])),
        lambda rng, _: str(rng.randint(12, 400)),
        sentence="It is {answer}.",
    ),
    Family(
        "comparison",
        (
            "which of the two numbers is {which}?",
            "two players compare their points. State the {which} score.",
            "pick the {which} value of the pair and copy it.",
            "a scale shows these two weights in grams. Tell me the {which} one.",
        ),
        {"which": one_of(("larger", "smaller", "higher", "lower"))},
        lambda values, given: _extreme(values, numbers(given)),
        _pair,
        choices=lambda _, given: [str(value) for value in numbers(given)],
        sentence="The answer is {answer}.",
    ),
    Family(
        "sorting",
        (
            "sort the {things} {order}.",
            "put this list of {things} into alphabetical order, {order}.",
            "a card index lists {things} in a muddle. Arrange the entries {order}.",
            "how does the row of {things} look after ordering it {order}?",
        ),
        {"things": _THINGS, "order": ORDER},
        _sorted_list,
        _sort_input,
    ),
    Family(
        "letters",
        (
            "count how often the letter {letter} occurs in the sentence.",
            "how many times do you see the character {letter} in this line of text?",
            "a printer has only lead types for some letters. How many of the letter {letter} does the headline need?",
            "tell me the number of {letter}'s that a typist hits while copying these words.",
        ),
        {"letter": one_of("aeinors")},
        lambda values, given: str(given.lower().count(values["letter"])),
        _sentence,
        sentence="The count is {answer}.",
    ),
    Family(
        "words",
        (
            "how many words does the sentence have?",
            "a newspaper charges {n} cents per word. Count the words of this advertisement.",
            "determine the length of the quotation, measured in words.",
            "say how many separate words were typed here.",
        ),
        {"n": number(5, 40)},
        lambda _, given: str(len(given.split())),
        _sentence,
        sentence="There are {answer} words.",
    ),
    Family(
        "reversal",
        (
            "spell the given word backwards.",
            "write the letters of the term in reverse order.",
            "hold the sign up to a mirror: which letters can be read from right to left?",
            "turn the password around so that its last letter comes first.",
        ),
        {},
        lambda _, given: given[::-1],
        lambda rng, _: rng.choice(WORDS),
    ),
    Family(
        "units",
        (
            "convert the given amount from {pair}.",
            "a form wants another unit. Change the entry from {pair}.",
            "rewrite the measured quantity, going from {pair}.",
            "what does the value below become in a table that was switched from {pair}?",
        ),
        {"pair": one_of(UNITS)},
        lambda values, given: converted(values["pair"], _number(given)),
        lambda rng, values: f"{rng.randint(2, 40)} {values['pair'].split(' to ')[0]}",
        sentence="That makes {answer}.",
    ),
    Family(
        "weekday",
        (
            "say which weekday it is {n} days after the given one.",
            "a parcel is posted on the day named below and arrives {n} days later. On what day of the week?",
            "the choir meets every {n} days. Starting from this day, when is the following rehearsal?",
            "postpone the appointment by {n} days and name its new weekday.",
        ),
        {"n": number(2, 20)},
        lambda values, given: later(given, int(values["n"])),
        lambda rng, _: rng.choice(DAYS),
        choices=lambda *_: DAYS,
        sentence="It will be a {answer}.",
    ),
    Family(
        "acronym",
        (
            "form the acronym of the name.",
            "a society wants its initials on a badge. Which capital letters are needed?",
            "shorten the title to the first letter of each of its words.",
            "take one initial per word and join them without dots.",
        ),
        {},
        lambda _, given: initials(given),
        lambda rng, _: _phrase(rng),
    ),
    Family(
        "parity",
        (
            "is the given number even or odd?",
            "guests sit in pairs at this party. Decide whether the head count is even or odd.",
            "classify the integer by its remainder after division by two, as even or odd.",
            "house numbers are even on the left side and odd on the right one. Which word fits this house?",
        ),
        {},
        lambda _, given: "odd" if _number(given) % 2 else "even",
        lambda rng, _: str(rng.randint(11, 9999)),
        choices=lambda *_: ("even", "odd"),
        sentence="The number is {answer}.",
    ),
    Family(
        "primality",
        (
            "does the integer have a divisor other than one and itself? Choose between prime and not prime.",
            "label the number as prime or not prime.",
            "a cicada appears after this many years. Judge if the period is prime or not prime.",
        ),
        {},
        lambda _, given: "prime" if _is_prime(_number(given)) else "not prime",
        lambda rng, _: str(rng.randint(11, 130)),
        choices=lambda *_: ("prime", "not prime"),
        sentence="The number is {answer}.",
    ),
    Family(
        "difference",
        (
            "name the {things} that are in the first list but missing from the second.",
            "which {things} got lost between the two lists?",
            "compare both inventories of {things} and report what was only in the earlier one.",
            "after a move some {things} cannot be found any more. Work out which ones from the lists.",
        ),
        {"things": _THINGS},
        _missing,
        _two_lists,
        choices=lambda _, given: _both_lists(given)[0],
    ),
    Family(
        "field",
        (
            "give the {field} of the person in the record.",
            "which {field} does the membership card state?",
            "extract just the {field} from this entry of an address book.",
            "the receptionist forgot the {field} of a visitor. Find it in the lines below.",
        ),
        {"field": one_of(FIELDS)},
        lambda values, given: _facts(given)[values["field"]],
        _record,
        choices=lambda _, given: list(_facts(given).values()),
    ),
    Family(
        "plural",
        (
            "write the plural of the noun.",
            "how is the word spelled when there is more than one of them?",
            "there is one of these on the table; {n} more are brought. Which form of the noun follows the number?",
            "turn the singular into the plural for a dictionary entry.",
        ),
        {"n": number(3, 12)},
        lambda _, given: _plural(given),
        lambda rng, _: rng.choice(NOUNS),
        sentence="The plural is {answer}.",
    ),
    Family(
        "next_term",
        (
            "what is the next term of the arithmetic sequence?",
            "continue the row of numbers by one more element.",
            "the same step separates all neighbours in this series. Predict the number that follows.",
            "stairs were labelled by a fixed rule. Which label belongs on the step after the last one?",
        ),
        {},
        lambda _, given: next_term(given),
        lambda rng, _: ", ".join(arithmetic_sequence(rng)),
        sentence="The next number is {answer}.",
    ),
    Family(
        "currency",
        (
            "an exchange office gives {n} {coins} for each euro. How many do you get for this sum?",
            "convert the price from euros to {coins}, at a rate of {n} to 1.",
            "a traveller changes all of her euros into {coins}; one euro buys {n}. What does she receive?",
        ),
        {"n": number(3, 30), "coins": one_of(("crowns", "dinars", "francs", "pesos", "rupees"))},
        lambda values, given: f"{_number(given) * int(values['n'])} {values['coins']}",
        lambda rng, _: f"{rng.randint(2, 60)} euros",
        sentence="You get {answer}.",
    ),
    Family(
        "deletion",
        (
            "delete every letter {letter} from the word.",
            "my keyboard no longer types {letter}. How will the following word look on the screen?",
            "strike out each {letter} and join the letters that remain.",
        ),
        {"letter": one_of("aeionr")},
        lambda values, given: given.replace(values["letter"], ""),
        lambda rng, values: rng.choice([word for word in WORDS if values["letter"] in word]),
    ),
    Family(
        "list_layout",
        (
            "put each of the {things} on a numbered line of its own.",
            "turn the comma-separated {things} into a numbered list, starting at 1.",
            "a poster should show these {things} below one another with running numbers. Write the lines.",
        ),
        {"things": _THINGS},
        lambda _, given: "\n".join(f"{place}. {item}" for place, item in enumerate(_items(given), start=1)),
        lambda rng, values: ", ".join(rng.sample(THINGS[values["things"]], 4)),
    ),
)
