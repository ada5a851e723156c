"""Families without input that ask what comes where: in the calendar, the alphabet or a row of words."""

from __future__ import annotations

from ensemble_instruct.demo.tasks.families import Family, Values, number, one_of
from ensemble_instruct.demo.tasks.words import DAYS, MONTHS, NAMES, WORDS

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ANY_WORD = {"word": one_of(WORDS)}
_THREE = {name: one_of(WORDS) for name in ("x", "y", "z")}


def _later(values: Values) -> str:
    return DAYS[(DAYS.index(values["day"]) + int(values["n"])) % 7]


def _three(values: Values) -> tuple[str, str, str]:
    words = values["x"], values["y"], values["z"]
    if len(set(words)) < 3:
        raise ValueError
    return words


ORDER_FAMILIES = (
    Family(
        name="month_after",
        wordings=(
            "Name the month after {month}.",
            "Which month follows {month}?",
            "It is {month} now. What will next month be?",
            "Turn the calendar page of {month} and read the name of the new one.",
            "Go one month further than {month}.",
            "What comes directly behind {month} in the year?",
            "The trip was moved from {month} to a month later. When is it?",
            "Give the successor of {month}.",
            "When {month} is over, which month begins?",
            "Add a month to {month} and say where you land.",
        ),
        unseen_wordings=("What is the next month after {month}?", "Write the month that comes after {month}."),
        answer=lambda values, _: MONTHS[(MONTHS.index(values["month"]) + 1) % 12],
        slots={"month": one_of(MONTHS)},
        closed=True,
    ),
    Family(
        name="day_before",
        wordings=(
            "Name the day before {day}.",
            "Which weekday comes just ahead of {day}?",
            "Today is {day}. What was yesterday?",
            "Go back one day from {day}.",
            "The letter arrived a day earlier than {day}. When was that?",
            "What precedes {day} in the week?",
            "Give the predecessor of {day}.",
            "If tomorrow is {day}, what is today?",
            "He started on the eve of {day}; name that weekday.",
            "One night before {day}, what day of the week was it?",
        ),
        unseen_wordings=("What is the day that comes before {day}?", "Write the previous day of {day}."),
        answer=lambda values, _: DAYS[DAYS.index(values["day"]) - 1],
        slots={"day": one_of(DAYS)},
        closed=True,
    ),
    Family(
        name="days_later",
        wordings=(
            "Which day is it {n} days after {day}?",
            "Start on {day} and go {n} days forward. Where are you?",
            "Today is {day}. What weekday will it be in {n} days?",
            "A parcel sent on {day} needs {n} days. When does it come?",
            "Add {n} days to {day}.",
            "The party is {n} days later than {day}; name its weekday.",
            "Count {n} days on from {day} and give the result.",
            "She leaves on {day} and is away for {n} days. On which day is she back?",
            "In the week, what lies {n} places behind {day}?",
            "Work out the weekday: {day} plus {n} days.",
        ),
        unseen_wordings=("What day comes {n} days after {day}?", "Write the day that is {n} days later than {day}."),
        answer=lambda values, _: _later(values),
        slots={"n": number(2, 6), "day": one_of(DAYS)},
        closed=True,
    ),
    Family(
        name="letter_after",
        wordings=(
            "Which letter follows {letter} in the alphabet?",
            "Name the letter after {letter}.",
            "Say the alphabet; what do you say right behind {letter}?",
            "Go one letter on from {letter}.",
            "In the ABC, {letter} is followed by what?",
            "The shelf marked {letter} is full. Which letter has the next shelf?",
            "Give the successor of the letter {letter}.",
            "Shift {letter} by one place in the alphabet.",
            "A secret code puts the next letter for each one. What does {letter} become?",
            "Row {letter} of the theatre is in front of which row?",
        ),
        unseen_wordings=("What is the next letter after {letter}?", "Write the letter that comes after {letter}."),
        answer=lambda values, _: _LETTERS[_LETTERS.index(values["letter"]) + 1],
        slots={"letter": one_of(_LETTERS[:-1])},
        closed=True,
    ),
    Family(
        name="initial",
        wordings=(
            "With which letter does the word {word} begin?",
            "Name the first letter of {word}.",
            "What is the initial of {word}?",
            "Under which letter do I find {word} in a dictionary?",
            "Give just the opening letter in {word}.",
            "The word is {word}. Write down the letter at its front.",
            "If you spell {word}, what do you say first?",
            "Cut everything off {word} but the letter on the left.",
            "A child learns to write {word}; which letter comes at the start?",
            "Take {word} and keep one letter, the leading one.",
        ),
        unseen_wordings=("What letter is at the start of {word}?", "Write the first letter of the word {word}."),
        answer=lambda values, _: values["word"][0],
        slots=_ANY_WORD,
        closed=True,
    ),
    Family(
        name="list_in_order",
        wordings=(
            "Sort {x}, {y} and {z} alphabetically.",
            "Put the words {x}, {y}, {z} into the order of the alphabet.",
            "In which order does a dictionary have {x}, {y} and {z}?",
            "Arrange from A to Z: {x}, {y}, {z}.",
            "List {x}, {y} and {z} so that the earliest letter stands in front.",
            "An index needs the entries {x}, {y} and {z}; write them in order.",
            "Alphabetise these three: {x}, {y}, {z}.",
            "How would a library shelve {x}, {y} and {z} by name?",
            "Rearrange {x}, {y}, {z} following the ABC.",
            "Three folders are called {x}, {y} and {z}. Give their alphabetical sequence.",
        ),
        unseen_wordings=(
            "Write {x}, {y} and {z} in alphabetical order.",
            "What is the order of {x}, {y}, {z} from A to Z?",
        ),
        answer=lambda values, _: ", ".join(sorted(_three(values))),
        slots=_THREE,
    ),
    Family(
        name="backwards",
        wordings=(
            "Say {x} {y} {z} with the words in reverse order.",
            "Turn around the sequence {x} {y} {z}.",
            "Write {x} {y} {z} from the last word to the first.",
            "What is {x} {y} {z} when read word by word from right to left?",
            "Flip these three words: {x} {y} {z}.",
            "The train has the wagons {x} {y} {z}. It drives back; name them in the new order.",
            "Begin at the end of {x} {y} {z} and list all.",
            "Put {x} {y} {z} the other way round.",
            "Reverse the row {x} {y} {z}, but not the letters.",
            "Somebody mixed it up: {x} {y} {z} must run backwards. Correct it.",
        ),
        unseen_wordings=(
            "Write the words {x} {y} {z} backwards, word by word.",
            "What is the reverse order of {x} {y} {z}?",
        ),
        answer=lambda values, _: " ".join(reversed(_three(values))),
        slots=_THREE,
    ),
    Family(
        name="repeat",
        wordings=(
            "Say the word {word} {n} times.",
            "Write {word} again and again, {n} times in all.",
            "Repeat {word} so that it stands there {n} times.",
            "Fill a line with {n} copies of {word}.",
            "Give me {word}, {n} times in a row.",
            "Echo {word} until it was heard {n} times.",
            "How does it look if one types {word} {n} times with spaces?",
            "Print the term {word} in {n} copies.",
            "For {n} rounds, put down {word}.",
            "As a punishment, {word} has to be written {n} times. Do it.",
        ),
        unseen_wordings=("Write {n} times the word {word}.", "What is {word} repeated {n} times?"),
        answer=lambda values, _: " ".join([values["word"]] * int(values["n"])),
        slots=_ANY_WORD | {"n": number(2, 4)},
    ),
    Family(
        name="greeting",
        wordings=(
            "Greet {name} with the word hello.",
            "Write a hello that is meant for {name}.",
            "Somebody called {name} comes in. Say hello and the name.",
            "Say hello to {name} and nothing else.",
            "How do you hail {name} if hello is your word?",
            "Begin a talk with {name}: hello plus the name.",
            "Compose the shortest greeting for {name}, with hello.",
            "You meet {name}. Use hello and the name to be friendly.",
            "Address {name} with a simple hello.",
            "A card for {name} opens with hello. Write this opening.",
        ),
        unseen_wordings=("Write hello to {name}.", "What is a greeting for {name} with hello?"),
        answer=lambda values, _: f"Hello {values['name']}!",
        slots={"name": one_of(NAMES)},
        closed=True,
    ),
    Family(
        name="middle",
        wordings=(
            "Which word stands between the others in {x} {y} {z}?",
            "Name the middle one of {x}, {y} and {z}.",
            "From {x}, {y}, {z} take the word in the centre.",
            "On a bench sit {x}, {y} and {z}, in this order. Who has two neighbours?",
            "Give the second of the three words {x} {y} {z}.",
            "Drop the first and the last of {x}, {y}, {z}; what is left?",
            "In the row {x} {y} {z}, find what is in the middle.",
            "Between {x} and {z} there is {y}. Write the word in between.",
            "Of the list {x}, {y}, {z}, copy entry number two.",
            "The sandwich is {x}, {y}, {z} from top to bottom; what is inside?",
        ),
        unseen_wordings=("What word is in the middle of {x} {y} {z}?", "Write the middle word of {x}, {y} and {z}."),
        answer=lambda values, _: _three(values)[1],
        slots=_THREE,
    ),
)
