"""Families without input that ask for a number, or about one."""

from __future__ import annotations

from ensemble_instruct.demo.tasks.families import Family, Values, number, one_of
from ensemble_instruct.demo.tasks.words import LEGS, MONTHS, PLACES, THINGS, UNITS, WORDS, in_words

_NUMBERS_IN_WORDS = {in_words(value): value for value in range(100)}


def _first(values: Values, start: int, step: int) -> str:
    return ", ".join(str(start + step * place) for place in range(int(values["n"])))


def _difference(values: Values) -> str:
    rest = int(values["a"]) - int(values["b"])
    if rest < 0:
        raise ValueError
    return str(rest)


def _between(values: Values) -> str:
    first, last = int(values["a"]), int(values["b"])
    if not 2 <= last - first <= 6:
        raise ValueError
    return ", ".join(map(str, range(first, last + 1)))


def _ratio(values: Values) -> str:
    whole, rest = divmod(int(values["n"]), 2)
    if rest:
        raise ValueError
    return str(whole)


NUMBER_FAMILIES = (
    Family(
        name="plus",
        wordings=(
            "What is {a} plus {b}?",
            "Add {a} to {b}.",
            "Compute the sum of {a} and {b}.",
            "How much do {a} coins and {b} coins make?",
            "I have {a} apples and buy {b} more. How many are there now?",
            "Work out {a} + {b}.",
            "Give the total when {a} is joined by {b}.",
            "A team scores {a} points, then {b}. State its points.",
            "On a bus there are {a} people and {b} get on; how full is it?",
            "Increase {a} by {b}.",
        ),
        unseen_wordings=("What do {a} and {b} add up to?", "Write the sum {a} + {b} as one number."),
        answer=lambda values, _: str(int(values["a"]) + int(values["b"])),
        slots={"a": number(2, 30), "b": number(2, 30)},
    ),
    Family(
        name="minus",
        wordings=(
            "What is {a} minus {b}?",
            "Subtract {b} from {a}.",
            "Compute the difference between {a} and {b}.",
            "How much is left of {a} when {b} are gone?",
            "I had {a} apples and ate {b} of them. How many remain?",
            "Work out {a} - {b}.",
            "Take {b} away from {a} and tell me the rest.",
            "There were {a} birds on a roof until {b} flew off; how many stayed?",
            "Reduce {a} by {b}.",
            "By how many is {a} more than {b}?",
        ),
        unseen_wordings=("What remains if {b} is taken from {a}?", "Write {a} - {b} as one number."),
        answer=lambda values, _: _difference(values),
        slots={"a": number(5, 40), "b": number(2, 30)},
    ),
    Family(
        name="times",
        wordings=(
            "What is {a} times {b}?",
            "Multiply {a} by {b}.",
            "Compute the product of {a} and {b}.",
            "There are {a} bags with {b} nuts each. How many nuts?",
            "Work out {a} x {b}.",
            "How many seats have {a} rows of {b} chairs?",
            "Give {b} taken {a} times over.",
            "One ticket costs {b} coins; what is paid for {a} of them?",
            "Say the answer from the times table for {a} and {b}.",
            "A box of {a} by {b} tiles holds how many tiles?",
        ),
        unseen_wordings=("What does {a} multiplied by {b} give?", "Write {a} x {b} as one number."),
        answer=lambda values, _: str(int(values["a"]) * int(values["b"])),
        slots={"a": number(2, 10), "b": number(2, 10)},
        closed=True,
    ),
    Family(
        name="half",
        wordings=(
            "What is half of {n}?",
            "Divide {n} by two.",
            "Split {n} coins fairly between two people. How many does each get?",
            "Cut {n} in half.",
            "Which number must be doubled to reach {n}?",
            "Give fifty per cent of {n}.",
            "We were {n} guests and half went home. How many left?",
            "Two equal parts make {n}; how big is a part?",
            "Halve the number {n}.",
            "Compute {n} / 2.",
        ),
        unseen_wordings=("How much is one half of {n}?", "Write {n} divided by two."),
        answer=lambda values, _: _ratio(values),
        slots={"n": number(4, 100)},
    ),
    Family(
        name="double",
        wordings=(
            "What is twice {n}?",
            "Double the number {n}.",
            "Multiply {n} by two.",
            "How many shoes are {n} pairs?",
            "A town of {n} houses grew to two times its size. How many houses now?",
            "Give two hundred per cent of {n}.",
            "My brother has {n} stamps, I have twice that. How many are mine?",
            "Compute 2 x {n}.",
            "Which number has {n} as its half?",
            "Let {n} grow to its double.",
        ),
        unseen_wordings=("How much is the double of {n}?", "Write two times {n} as a number."),
        answer=lambda values, _: str(2 * int(values["n"])),
        slots={"n": number(3, 60)},
    ),
    Family(
        name="larger",
        wordings=(
            "Which is larger, {a} or {b}?",
            "Name the greater of {a} and {b}.",
            "Compare {a} with {b} and give the bigger one.",
            "Would you rather have {a} or {b} coins, if more is better?",
            "Pick the maximum out of {a} and {b}.",
            "Two players have {a} and {b} points. How many has the winner?",
            "On a scale, what weighs more: {a} grams or {b} grams? Give the figure.",
            "Of the two numbers {a} and {b}, write the one that comes later when counting.",
            "Decide which exceeds the other: {a}, {b}.",
            "Between {a} and {b}, which lies further from zero?",
        ),
        unseen_wordings=("What is the bigger number, {a} or {b}?", "Write the larger one of {a} and {b}."),
        answer=lambda values, _: str(max(int(values["a"]), int(values["b"]))),
        slots={"a": number(2, 99), "b": number(2, 99)},
    ),
    Family(
        name="parity",
        wordings=(
            "Is {n} odd or even?",
            "Say whether the number {n} is even or odd.",
            "Can {n} be divided by two? Answer even if so, else odd.",
            "Name the parity of {n}: odd or even.",
            "Decide: {n} is an even or an odd number?",
            "House number {n} stands on the even or the odd side of the road. Which one?",
            "Classify {n} with one of the words odd, even.",
            "Would {n} socks leave a single one (odd) or not (even)?",
            "Test {n} for being even; reply odd or even.",
            "Which word describes {n}, even or odd?",
        ),
        unseen_wordings=("Write odd or even for {n}.", "Odd or even: what is {n}?"),
        answer=lambda values, _: "odd" if int(values["n"]) % 2 else "even",
        slots={"n": number(2, 999)},
    ),
    Family(
        name="first_even_numbers",
        wordings=(
            "List the first {n} even numbers, starting with 2.",
            "Write {n} even numbers in a row from 2 on.",
            "Count in twos from 2 until you have {n} numbers.",
            "Give the even numbers from 2, {n} of them.",
            "Start at 2 and always add 2; show {n} terms.",
            "What are the {n} smallest even numbers above zero?",
            "Name {n} numbers that two divides, in order, the lowest first.",
            "Begin the two times table and stop after {n} results.",
            "Show the opening {n} members of the sequence 2, 4, 6 and so on.",
            "Which house numbers have the first {n} houses on the even side?",
        ),
        unseen_wordings=("Write the first {n} even numbers.", "What are the first {n} numbers that are even?"),
        answer=lambda values, _: _first(values, 2, 2),
        slots={"n": number(3, 8)},
        closed=True,
    ),
    Family(
        name="multiples",
        wordings=(
            "List the first {n} multiples of {k}.",
            "Write {n} terms of the {k} times table.",
            "Count in steps of {k} from {k} on, {n} numbers in all.",
            "Start with {k} and keep adding {k} until there are {n} numbers.",
            "Show how {k} grows when it is taken one to {n} times.",
            "Give {n} numbers, each of them {k} more than the last, from {k}.",
            "Name the {n} lowest numbers that {k} divides.",
            "A bus comes every {k} minutes. After how many minutes come the first {n}?",
            "Say the {k} series up to its member number {n}.",
            "Which are the {n} smallest positive multiples of {k}?",
        ),
        unseen_wordings=(
            "Write the first {n} numbers of the {k} times table.",
            "What are the first {n} multiples of {k}?",
        ),
        answer=lambda values, _: _first(values, int(values["k"]), int(values["k"])),
        slots={"n": number(3, 6), "k": number(3, 12)},
        closed=True,
    ),
    Family(
        name="count_from_to",
        wordings=(
            "Count from {a} to {b}.",
            "List all whole numbers from {a} up to {b}.",
            "Write every number between {a} and {b}, both ends included.",
            "Start at {a}, go up by one, and stop at {b}.",
            "Which pages does a reader see who reads pages {a} to {b}?",
            "Show the numbers {a} through {b} with commas.",
            "Say the sequence that begins with {a} and ends with {b}.",
            "Give the run of numbers with {a} as first and {b} as last.",
            "The lift goes from floor {a} to floor {b}. Name each floor it passes.",
            "Enumerate {a} to {b} in rising order.",
        ),
        unseen_wordings=("Write the numbers from {a} to {b}.", "What are all the numbers from {a} up to and with {b}?"),
        answer=lambda values, _: _between(values),
        slots={"a": number(1, 60), "b": number(3, 66)},
    ),
    Family(
        name="number_in_words",
        wordings=(
            "Write the number {n} in words.",
            "How is {n} spelled out?",
            "Say {n} as one would read it aloud.",
            "Put {n} into letters instead of digits.",
            "Spell the figure {n}.",
            "On a cheque the sum of {n} must be written out; do that.",
            "Express {n} without digits.",
            "What is the English name of {n}?",
            "Turn the digits {n} into words.",
            "Give the word form for {n}.",
        ),
        unseen_wordings=("What is {n} in words?", "Write out {n} with letters."),
        answer=lambda values, _: in_words(int(values["n"])),
        slots={"n": number(2, 99)},
        closed=True,
    ),
    Family(
        name="words_in_digits",
        wordings=(
            "Write {words} in digits.",
            "Which figure is {words}?",
            "Turn {words} into a number made of digits.",
            "Note down {words} as a cashier would type it.",
            "Express {words} as a numeral.",
            "Give the digits for {words}.",
            "Somebody says {words} on the phone; put down the number.",
            "Replace the phrase {words} by figures.",
            "How does one write {words} on a price tag?",
            "Transform {words} from letters to digits.",
        ),
        unseen_wordings=("What is {words} as a number?", "Write the digits of {words}."),
        answer=lambda values, _: str(_NUMBERS_IN_WORDS[values["words"]]),
        slots={"words": one_of(text for text, value in _NUMBERS_IN_WORDS.items() if value > 1)},
        closed=True,
    ),
    Family(
        name="legs",
        wordings=(
            "How many legs do {n} {animals} have?",
            "Count the legs of {n} {animals} together.",
            "In a field there are {n} {animals}. What is the total of their legs?",
            "Work out the number of legs for {n} {animals}.",
            "If {n} {animals} walk by, how many legs pass?",
            "Give the sum of all legs that belong to {n} {animals}.",
            "On how many legs do {n} {animals} stand?",
            "Each of {n} {animals} gets a sock on every leg; how many socks?",
            "Question for a small child: {n} {animals}, how many legs?",
            "Say how many legs one sees on {n} {animals}.",
        ),
        unseen_wordings=(
            "What number of legs do {n} {animals} have in all?",
            "Write how many legs {n} {animals} have.",
        ),
        answer=lambda values, _: str(int(values["n"]) * LEGS[values["animals"]]),
        slots={"n": number(2, 9), "animals": one_of(LEGS)},
        closed=True,
    ),
    Family(
        name="units",
        wordings=(
            "How many {target} are {n} {unit}?",
            "Convert {n} {unit} to {target}.",
            "Express {n} {unit} in {target}.",
            "What are {n} {unit} when measured in {target}?",
            "State {n} {unit} as a number of {target}.",
            "I waited or counted {n} {unit}; say that in {target}.",
            "Change {n} {unit} into {target}.",
            "Work out how many {target} make {n} {unit}.",
            "The label says {n} {unit}, the form asks for {target}. What do I enter?",
            "For {n} {unit}, give the equal amount of {target}.",
        ),
        unseen_wordings=("What number of {target} do {n} {unit} have?", "Write {n} {unit} as {target}."),
        answer=lambda values, _: str(int(values["n"]) * _factor(values)),
        slots={
            "n": number(2, 12),
            "unit": one_of(UNITS),
            "target": one_of(target for target, _ in UNITS.values()),
        },
        closed=True,
    ),
    Family(
        name="nth_month",
        wordings=(
            "Which month is the {place} of the year?",
            "Name the {place} month.",
            "In a calendar, what stands on the {place} page if each page is a month?",
            "Give the month with place {place} in the year.",
            "The birthday is in the {place} month; what is that month called?",
            "Counting from January, which is the {place} one?",
            "Tell me what we call month number {place}.",
            "The year begins with January. What is its {place} month?",
            "A bill is due in the {place} month of the year. State its name.",
            "Say the {place} of the twelve months.",
        ),
        unseen_wordings=("What is the name of the {place} month?", "Write which month of the year is the {place}."),
        answer=lambda values, _: MONTHS[PLACES.index(values["place"])],
        slots={"place": one_of(PLACES)},
        closed=True,
    ),
    Family(
        name="letters",
        wordings=(
            "How many letters does the word {word} have?",
            "Count the letters of {word}.",
            "Give the length of the word {word}.",
            "Of how many letters is {word} made?",
            "State the number of characters in {word}.",
            "In a crossword, how many squares does {word} fill?",
            "Spell {word} in your head and say how many letters you needed.",
            "A sign maker is paid for each letter. How many does he paint for {word}?",
            "Find out how long {word} is, in letters.",
            "Measure {word}: number of letters?",
        ),
        unseen_wordings=("What is the number of letters in {word}?", "Write how many letters {word} has."),
        answer=lambda values, _: str(len(values["word"])),
        slots={"word": one_of(WORDS)},
        closed=True,
    ),
    Family(
        name="price",
        wordings=(
            "One of the {things} costs {p} coins. What do {n} of them cost?",
            "Find the price of {n} {things} at {p} coins each.",
            "At {p} coins a piece, how much must I pay for {n} {things}?",
            "A shop sells {things} for {p} coins; work out the bill for {n}.",
            "She buys {n} {things} and each is {p} coins. Give the total.",
            "What sum is due for {n} {things} if a single one is {p} coins?",
            "Compute the cost: {n} {things}, {p} coins for one.",
            "How many coins are needed to get {n} {things} that cost {p} each?",
            "Say what {n} {things} come to when every one is sold for {p} coins.",
            "The customer takes {n} {things} priced {p}; name the amount to pay.",
        ),
        unseen_wordings=(
            "What is the cost of {n} {things} at {p} coins each?",
            "Write how many coins {n} {things} cost at {p} each.",
        ),
        answer=lambda values, _: str(int(values["n"]) * int(values["p"])),
        slots={"n": number(2, 9), "p": number(2, 9), "things": one_of(THINGS)},
    ),
)


def _factor(values: Values) -> int:
    target, factor = UNITS[values["unit"]]
    if target != values["target"]:
        raise ValueError
    return factor
