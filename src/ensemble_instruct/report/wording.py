"""The words of the report."""

from __future__ import annotations

STEP_NAMES = {
    "instructions": "Step 1, instructions",
    "instances": "Step 2, completions",
    "parse": "Step 3, reading them",
    "outputs": "Step 4, outputs of the voters",
    "ensemble": "Step 5, selection",
}
STAGES = {
    "replies": ("Replies", "of the model that writes instructions"),
    "instructions": ("Instructions", "usable, and unlike the others"),
    "completions": ("Completions", "written for the instructions"),
    "instances": ("Instances", "read out of them, follow-on tasks too"),
    "answered": ("Answered", "by at least one voter"),
    "examples": ("Examples", "on which the outputs agree"),
}
KIND_NAMES = {"input_output": "with input", "output_only": "without input"}
REASONS = {
    "asks_for_a_program": "asks for a program, which this data leaves out",
    "bad_request": "the server refused the request for good",
    "below_share": "other rows agree more, and only a share is kept",
    "blocked_word": "names what a text model cannot see or do: an image, a file, a map, drawing",
    "code_fences": "a block of code is opened and not closed",
    "contaminated": "overlaps with a benchmark",
    "content_filter": "the server's content filter refused the request",
    "cut_off": "cut off by the token limit",
    "disagreement": "two of the outputs have next to nothing in common",
    "duplicate": "the same instruction with the same input was there before",
    "empty": "nothing was written",
    "empty_output": "there is no output",
    "empty_outputs": "none of the outputs holds any text",
    "further_example": "a further example of an instruction that has one",
    "language": "in a language that is not wanted",
    "low_agreement": "the outputs agree less than an example needs",
    "missing_output": "the strategy needs an output of each voter, and one is missing",
    "no_input": "this kind of task needs an input",
    "no_output": "no output could be found in the completion",
    "not_novel": "too close to an instruction that was there before",
    "output_equals_input": "the output only repeats the input",
    "personal_data": "holds what may be personal data",
    "prompt_too_long": "the prompt is longer than the model can read",
    "refusal": "the output declines to answer",
    "repetition": "the output repeats itself",
    "server_error": "the server failed at every try",
    "starts_with_non_ascii": "starts with a character that is not ASCII",
    "starts_with_punctuation": "starts with a punctuation mark",
    "target_reached": "there were enough instructions already",
    "too_long": "has more than 150 words",
    "too_short": "has fewer than four words",
    "toxic": "a model calls it toxic",
    "toxicity_unknown": "a model was asked whether it is toxic, and said nothing that can be read",
    "unexpected_input": "has an input, and this kind has none",
    "unreadable": "no task could be read out of the completion",
}
