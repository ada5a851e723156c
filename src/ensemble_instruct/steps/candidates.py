"""The output that an answer of step 4 holds, or its drop."""

from __future__ import annotations

from ensemble_instruct.invisible import is_blank
from ensemble_instruct.records import Answer, Candidate, Failure, Instance, Profile, Rejected
from ensemble_instruct.replies.answers import CleanAnswer, clean_answer
from ensemble_instruct.replies.end_marker import before_marker, squeezed


def read_candidate(
    instance: Instance, voter: str, answer: Answer, profile: Profile, *, is_cleaned: bool
) -> Candidate | Rejected:
    """What a voter said to an instance.

    A drop where it refused the request or, in the default profile, was cut off by the token limit, said nothing, or
    repeated the input; its detail is the voter. The default profile takes what comes before the end marker; where
    `is_cleaned`, also without what a chat model says around its answer.
    """
    outcome = answer.outcome
    if isinstance(outcome, Failure):
        return drop_of_answer(instance, voter, answer, outcome.type, outcome.message)
    if profile == "published":
        return Candidate(instance.id, voter, outcome.text, outcome.finish_reason, answer.key)
    content, is_ended = before_marker(outcome.text)
    text, removed = CleanAnswer(content.strip(), ())
    if is_cleaned:
        text, removed = clean_answer(text, "\n\n".join(filter(None, (instance.instruction, instance.input))))
    is_cut_off = outcome.finish_reason == "length" and not is_ended
    if reason := _reason(instance, text, is_cut_off=is_cut_off):
        return drop_of_answer(instance, voter, answer, reason, text)
    return Candidate(instance.id, voter, text, outcome.finish_reason, answer.key, removed)


def drop_of_answer(instance: Instance, model: str, answer: Answer, reason: str, text: str) -> Rejected:
    """The drop of what a model said about an instance; its detail is the model, or which of its samples."""
    return Rejected(
        step="outputs",
        reason=reason,
        text=text,
        kind=instance.kind,
        source=instance.id,
        request_key=answer.key,
        detail=model,
    )


def _reason(instance: Instance, text: str, *, is_cut_off: bool) -> str:
    """Why the default profile does not let a candidate vote, or the empty string."""
    if is_cut_off:
        return "cut_off"
    if is_blank(text):
        return "empty_output"
    return "output_equals_input" if instance.input and squeezed(text) == squeezed(instance.input) else ""
