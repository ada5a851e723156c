"""The families of simulated tasks without input, and the words and calculations that other families share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from tests.support.simulated.families import Family, Values, listed, number, one_of

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = {
    "January": 31, "February": 28, "March": 31, "April": 30, "May": 31, "June": 30, "July": 31,
    "August": 31, "September": 30, "October": 31, "November": 30, "December": 31,
}  # fmt: skip
POLYGONS = {
    "triangle": 3, "quadrilateral": 4, "pentagon": 5, "hexagon": 6, "heptagon": 7, "octagon": 8,
    "nonagon": 9, "decagon": 10, "dodecagon": 12,
}  # fmt: skip
THINGS = {
    "fruits": ("apple", "banana", "cherry", "grape", "lemon", "mango", "orange", "peach", "plum", "quince"),
    "animals": ("badger", "camel", "dolphin", "eagle", "falcon", "giraffe", "heron", "lizard", "otter", "zebra"),
    "tools": ("axe", "chisel", "drill", "hammer", "ladder", "pliers", "rake", "saw", "spade", "wrench"),
    "instruments": ("banjo", "cello", "drum", "flute", "guitar", "harp", "oboe", "piano", "trumpet", "violin"),
    "vegetables": ("bean", "cabbage", "garlic", "leek", "onion", "pea", "radish", "spinach", "turnip", "yam"),
    "cities": ("Athens", "Berlin", "Cairo", "Dublin", "Hanoi", "Lima", "Madrid", "Oslo", "Prague", "Tokyo"),
}
ROMAN_SIGNS = {"C": 100, "XC": 90, "L": 50, "XL": 40, "X": 10, "IX": 9, "V": 5, "IV": 4, "I": 1}
WORDS = tuple(word for group in THINGS.values() for word in group if word.islower())
UNITS = {
    "kilometres to metres": 1000, "metres to centimetres": 100, "kilograms to grams": 1000, "hours to minutes": 60,
    "minutes to seconds": 60, "days to hours": 24, "weeks to days": 7, "litres to millilitres": 1000,
    "feet to inches": 12, "yards to feet": 3, "tonnes to kilograms": 1000, "dozens to pieces": 12,
}  # fmt: skip
NAMES = ("Ada Brown", "Carlos Ruiz", "Emma Stone", "Hugo Lindt", "Mei Tan", "Nora Quist", "Omar Haddad", "Tom Reed")
GOODS = ("bottles", "chairs", "lamps", "notebooks", "postcards", "stamps", "tickets", "umbrellas")
ORDER = one_of(("from A to Z", "from Z to A"))
STYLE = one_of(("with commas between them", "each on a new line", "one per line", "separated by commas"))


def numbers(text: str) -> list[int]:
    """The whole numbers in a text."""
    return [int(digits) for digits in re.findall(r"\d+", text)]


def ordered(items: Sequence[str], order: str) -> list[str]:
    """The items in alphabetical order, or in the opposite one for `from Z to A`."""
    return sorted(items, key=str.lower, reverse=order.startswith("from Z"))


def converted(pair: str, amount: int) -> str:
    """The amount in the second unit of a pair such as `days to hours`."""
    return f"{amount * UNITS[pair]} {pair.split(' to ')[1]}"


def later(day: str, days: int) -> str:
    """The weekday so many days after a weekday."""
    names = [name.lower() for name in DAYS]
    return DAYS[(names.index(day.strip().lower()) + days) % 7]


def arithmetic_sequence(rng: Random) -> list[str]:
    """Four or five numbers with equal steps between them."""
    start, step = rng.randint(2, 60), rng.randint(3, 12)
    return [str(start + step * place) for place in range(rng.randint(4, 5))]


def next_term(sequence: str) -> str:
    """The number that continues an arithmetic sequence."""
    *_, before, last = numbers(sequence)
    return str(2 * last - before)


def _roman(value: int) -> str:
    text = ""
    for sign, worth in ROMAN_SIGNS.items():
        text, value = text + sign * (value // worth), value % worth
    return text


def _calculated(values: Values, _given: str) -> str:
    a, b = int(values["a"]), int(values["b"])
    return str({"plus": a + b, "minus": a - b, "times": a * b}[values["operation"]])


def _written(style: str, items: Sequence[int]) -> str:
    return ("\n" if "line" in style else ", ").join(map(str, items))


def initials(phrase: str) -> str:
    """The first letter of each word, as capitals."""
    return "".join(word[0].upper() for word in phrase.split())


def _month_length(values: Values, _given: str) -> str:
    days = MONTHS[values["month"]]
    return str(29 if days == 28 and "leap" in values["year"] else days)


OUTPUT_ONLY_FAMILIES: tuple[Family, ...] = (
    Family(
        "month",
        (
            "how many days does {month} have in {year}?",
            "a tenant pays by the day and stays for the whole of {month} in {year}. For how many days?",
            "look up the length of {month}, in days, for {year}.",
            "someone writes one diary page every day of {month}. Say how many pages that takes in {year}.",
        ),
        {"month": one_of(MONTHS), "year": one_of(("a common year", "a leap year"))},
        _month_length,
        choices=lambda *_: ("28", "29", "30", "31"),
        sentence="It has {answer} days.",
    ),
    Family(
        "polygon",
        (
            "how many {parts} does a regular {polygon} have?",
            "a field has the shape of a {polygon}. Count its {parts}.",
            "state the number of {parts} of the geometric figure called {polygon}.",
            "matches are laid out as a {polygon}. How many {parts} can be seen?",
        ),
        {"polygon": one_of(POLYGONS), "parts": one_of(("sides", "corners"))},
        lambda values, _: str(POLYGONS[values["polygon"]]),
        choices=lambda *_: [str(sides) for sides in sorted(POLYGONS.values())],
        sentence="There are {answer}.",
    ),
    Family(
        "roman",
        (
            "write {n} as a Roman numeral.",
            "a mason wants to carve the number {n} into stone in the Roman way. Which letters does he cut?",
            "how did the ancient Romans note down {n}?",
            "chapter {n} of an old book bears a Roman numeral in its heading. Which one?",
        ),
        {"n": number(4, 140)},
        lambda values, _: _roman(int(values["n"])),
        sentence="It is {answer}.",
    ),
    Family(
        "arithmetic",
        (
            "what is {a} {operation} {b}?",
            "calculate {a} {operation} {b} in your head.",
            "the display of a pocket calculator is broken after typing {a} {operation} {b}. What should it show?",
            "a pupil claims to know {a} {operation} {b} by heart. Give the value she ought to say.",
        ),
        {"a": number(41, 99), "b": number(3, 40), "operation": one_of(("plus", "minus", "times"))},
        _calculated,
        sentence="It is {answer}.",
    ),
    Family(
        "percentage",
        (
            "what is {p} percent of {n}?",
            "out of {n} voters, {p} percent stayed at home. How many people is that?",
            "a coat costs {n} euros and is reduced by {p} percent. By how many euros does the price fall?",
            "find {p} percent of {n} litres and give the number of litres.",
        ),
        {"p": one_of(("5", "10", "20", "25", "40", "50", "75")), "n": number(40, 900, 20)},
        lambda values, _: str(int(values["p"]) * int(values["n"]) // 100),
        sentence="It is {answer}.",
    ),
    Family(
        "word_order",
        (
            "sort these words {order}: {words}.",
            "arrange {words} alphabetically {order}.",
            "if the entries {words} stood in a dictionary read {order}, in which order would they come?",
        ),
        {"order": ORDER, "words": listed(lambda rng: rng.sample(WORDS, 4))},
        lambda values, _: ", ".join(ordered(values["words"].split(", "), values["order"])),
    ),
    Family(
        "sequence",
        (
            "which number comes next: {row}?",
            "continue {row} by one more number.",
            "buses leave at the minutes {row} after the start of the shift. When does the following one go?",
            "a frog leaps from stone to stone, touching those numbered {row}. On which stone does it land then?",
        ),
        {"row": listed(arithmetic_sequence)},
        lambda values, _: next_term(values["row"]),
        sentence="The next number is {answer}.",
    ),
    Family(
        "calendar",
        (
            "today is {day}. Which weekday will it be in {n} days?",
            "a holiday of {n} days begins on a {day}; we return when they are over. On what weekday is that?",
            "count {n} days onwards from {day} and name the weekday that you reach.",
            "bread dough was frozen on {day} and keeps for {n} days. Give the weekday on which it must be used.",
        ),
        {"day": one_of(DAYS), "n": number(3, 25)},
        lambda values, _: later(values["day"], int(values["n"])),
        choices=lambda *_: DAYS,
        sentence="It will be a {answer}.",
    ),
    Family(
        "backwards",
        (
            "spell the word {word} backwards.",
            "read {word} from right to left and write down what you get.",
            "an ambulance driver sees {word} in the mirror. Type its letters in that order.",
        ),
        {"word": one_of(WORDS)},
        lambda values, _: values["word"][::-1],
    ),
    Family(
        "multiples",
        (
            "list the first {n} multiples of {m}, {style}.",
            "a lamp blinks every {m} seconds. Write the seconds of its first {n} flashes, {style}.",
            "count in steps of {m} until you have {n} numbers, starting with {m} itself; {style}, please.",
        ),
        {"n": number(3, 6), "m": number(3, 25), "style": STYLE},
        lambda values, _: _written(
            values["style"], [int(values["m"]) * place for place in range(1, int(values["n"]) + 1)]
        ),
    ),
    Family(
        "purchase",
        (
            "{goods} cost {a} euros each. How much are {b} of them?",
            "a school orders {b} {goods} at {a} euros apiece. State the total in euros.",
            "what will {b} {goods} cost me if the price of one is {a} euros?",
            "at the market a trader sells {b} {goods} for {a} euros each. How many euros does he take?",
        ),
        {"a": number(2, 19), "b": number(3, 24), "goods": one_of(GOODS)},
        lambda values, _: f"{int(values['a']) * int(values['b'])} euros",
        sentence="They cost {answer}.",
    ),
    Family(
        "measure",
        (
            "change {n} units in this direction: {pair}.",
            "a label in the museum shop must be converted from {pair}. The old one says {n}. What is the new one?",
            "going from {pair}, what do {n} become?",
        ),
        {"n": number(2, 40), "pair": one_of(UNITS)},
        lambda values, _: converted(values["pair"], int(values["n"])),
        sentence="That makes {answer}.",
    ),
    Family(
        "divisors",
        (
            "list all divisors of {n} in ascending order, {style}.",
            "{n} chairs are to stand in equal rows. Which numbers of rows are possible? Start with 1; {style}.",
            "by which whole numbers can {n} be divided without a remainder? Write them from small to large, {style}.",
        ),
        {"n": number(12, 90, 2), "style": STYLE},
        lambda values, _: _written(
            values["style"], [d for d in range(1, int(values["n"]) + 1) if int(values["n"]) % d == 0]
        ),
    ),
    Family(
        "initials",
        (
            "what are the initials of {name}?",
            "a signet ring for {name} shows only the first letters of both names. Which ones?",
            "abbreviate the name {name} to two capital letters.",
        ),
        {"name": one_of(NAMES)},
        lambda values, _: initials(values["name"]),
        sentence="They are {answer}.",
    ),
)
