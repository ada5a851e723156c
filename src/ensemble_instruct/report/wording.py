"""The words of the report, and how it writes numbers."""

from __future__ import annotations

import math

NONE = "\u2013"
"""What is printed where there is no number."""
STEP_NAMES = {
    "instructions": "Step 1, instructions",
    "instances": "Step 2, completions",
    "parse": "Step 3, reading them",
    "outputs": "Step 4, outputs of the voters",
    "ensemble": "Step 5, selection",
}
"""The steps in words."""
STAGES = {
    "replies": ("Replies", "of the model that writes instructions"),
    "instructions": ("Instructions", "usable, and unlike the others"),
    "completions": ("Completions", "written for the instructions"),
    "instances": ("Instances", "read out of them, follow-on tasks too"),
    "answered": ("Answered", "by at least one voter"),
    "examples": ("Examples", "on which the outputs agree"),
}
"""The stages of the funnel: a name, and what is counted."""
KIND_NAMES = {"input_output": "with input", "output_only": "without input"}
"""The kinds of task in words."""
REASONS = {
    "asks_for_a_program": "asks for a program, which this data leaves out",
    "bad_request": "the server refused the request for good",
    "below_share": "other rows have a higher confidence, and only a share is kept",
    "blocked_pattern": "a blocked pattern of the config is found in it",
    "blocked_word": "holds a blocked word of the config, or of the original (image, file, map, draw)",
    "code_fences": "a block of code is opened and not closed",
    "contaminated": "overlaps with a benchmark",
    "content_filter": "the server's content filter refused the request",
    "not_a_task": "what a model says before or after its list of tasks, a heading in it, or the solution of a task",
    "cut_off": "cut off by the token limit",
    "disagreement": "two of the outputs have next to nothing in common",
    "duplicate": "the same instruction with the same input was there before",
    "empty": "nothing was written",
    "empty_instruction": "there is no instruction",
    "empty_output": "there is no output",
    "empty_outputs": "none of the outputs holds any text",
    "further_turns": "with this a conversation goes on after its first answer",
    "further_example": "a further example of an instruction that has one",
    "language": "in a language that is not wanted",
    "all_differ": "the outputs are a few words long, and no two of them are the same answer",
    "low_agreement": "the outputs agree less than an example needs (in runs of older versions)",
    "low_confidence": "the confidence is lower than an example needs",
    "missing_output": "the strategy needs an output of each voter, and one is missing",
    "needs_more_than_text": "text alone cannot answer it: there is something to see, hear, draw, record or visit",
    "no_input": "this kind of task needs an input",
    "no_output": "no output could be found in the completion",
    "no_rating": "a model was asked how good an output is, and said nothing that can be read as a number from 1 to 5",
    "no_verdict": "a model was asked whether two outputs say the same, and said nothing that can be read",
    "not_novel": "too close to an instruction that was there before",
    "output_equals_input": "the output only repeats the input",
    "personal_data": "holds what may be personal data",
    "prompt_too_long": "the prompt is longer than the model can read",
    "refusal": "the model declines to answer",
    "repetition": "the output repeats itself",
    "secret_in_reply": "the reply holds a key or a password that the server was sent",
    "server_error": "the server failed at every try",
    "starts_with_non_ascii": "starts with a character that is not ASCII",
    "starts_with_punctuation": "starts with a punctuation mark",
    "target_reached": "there were enough instructions already",
    "thought_only": "the model thought, and gave no answer; where the token limit cut it off, raise max_tokens",
    "too_long": "has too many words",
    "too_short": "has too few words",
    "toxic": "a model calls it toxic",
    "toxicity_unknown": "a model was asked whether it is toxic, and said nothing that can be read",
    "unexpected_input": "has an input, and this kind has none",
    "unreadable": "no task could be read out of the completion",
}
"""Why something is dropped, in words."""


def short(value: float) -> str:
    """A number for an axis."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):.3g}{unit}"
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"


def duration(seconds: float) -> str:
    """A time in its two largest units."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.3g} s"
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    place = next(place for place, (_, length) in enumerate(units) if seconds >= length)
    (large, length), (small, shorter) = units[place], units[place + 1]
    whole, rest = divmod(round(seconds / shorter), length // shorter)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def share(part: float, whole: float = 1.0) -> str:
    """A share in per cent; with a decimal where it would be rounded to nothing or to all."""
    if not whole:
        return NONE
    percent = 100 * part / whole
    return f"{percent:.1f}\u00a0%" if 0 < percent < 9.95 or 99 < percent < 100 else f"{percent:.0f}\u00a0%"


def usd(amount: float | None) -> str:
    """With two decimals, and with more where they would say less than three digits."""
    if amount is None:
        return "unknown"
    return f"{amount:,.{2 if amount <= 0 else max(2, min(9, 2 - math.floor(math.log10(amount))))}f}"


def dec(number: float | None, digits: int = 2) -> str:
    """A number with this many decimals."""
    return NONE if number is None else f"{number:.{digits}f}"


def mean(number: float | None, digits: int = 1) -> str:
    """A mean, with commas between thousands."""
    return NONE if number is None else f"{number:,.{digits}f}"


def many(number: int, noun: str, nouns: str = "") -> str:
    """A count with its noun in singular or plural."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"
