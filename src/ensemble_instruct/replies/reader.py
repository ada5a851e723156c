"""What a model answered, read: its answer as the text, its thought apart, or why there is no answer.

The store keeps a response as it came; it is read on its way to a step, so that a better reader helps old runs too.
"""

from __future__ import annotations

from dataclasses import replace

from ensemble_instruct.records import Answer, Failure, Profile, Response
from ensemble_instruct.replies.control_tokens import before_control_token
from ensemble_instruct.replies.end_marker import squeezed
from ensemble_instruct.replies.thoughts import Parted, part_thought

THOUGHT_ONLY = "thought_only"
"""Why a reply is dropped that holds a thought and no answer."""
REFUSAL = "refusal"
"""Why a reply is dropped in which the server gives a refusal instead of a text."""
_SHOWN = 200
"""Characters of a thought that a message shows."""
_ROUNDS = 4
"""How often a text is read anew, where what was taken away lays bare more of the kind."""

READING = "2"
"""Counts how replies have been read: another way may make other records of the same replies."""


def read_reply(response: Response, profile: Profile) -> Response | Failure:
    """The response with the answer alone as its text, and the thought in `reasoning`; or a failure without an answer.

    A control token ends the text; the response is complete then. The profile `published` keeps the text as it is. A
    response that was read is read again as the same object.
    """
    if profile == "published":
        is_cut_off = not response.text and response.finish_reason == "length"
        return _refused(response, response.text) or (_thought_only(response) if is_cut_off else response)
    parted, is_ended = _parted(response.text)
    read = response
    if parted.answer is not response.text or is_ended:
        read = replace(
            response,
            text=parted.answer,
            reasoning=_joined(response.reasoning, parted.thought),
            finish_reason="stop" if is_ended else response.finish_reason,
        )
    if failure := _refused(response, read.text):
        return failure
    is_hidden = not read.text and read.finish_reason == "length"
    is_thought = parted.is_thought_only or (bool(read.reasoning.strip()) and not read.text.strip())
    return _thought_only(read) if is_thought or is_hidden else read


def read_answer(answer: Answer, profile: Profile) -> Answer:
    """The answer with its response read; a failure stays as it is."""
    if isinstance(answer.outcome, Failure):
        return answer
    outcome = read_reply(answer.outcome, profile)
    return answer if outcome is answer.outcome else Answer(answer.key, outcome)


def _parted(text: str) -> tuple[Parted, bool]:
    """Answer and thought of a text, and whether a control token ended it."""
    thoughts, is_ended, is_thought_only = [], False, False
    for _ in range(_ROUNDS):
        parted = part_thought(text)
        content, ends = before_control_token(parted.answer)
        thoughts.append(parted.thought)
        is_ended, is_thought_only = is_ended or ends, is_thought_only or parted.is_thought_only
        if content is text:
            break
        text = content
    return Parted(text, "\n\n".join(filter(None, thoughts)), is_thought_only), is_ended


def _joined(reasoning: str, thought: str) -> str:
    """The thought that a server sent apart and the one of the text; some servers send the same one in both places."""
    if not reasoning.strip() or not thought:
        return reasoning if reasoning.strip() else thought
    return reasoning if reasoning.strip() == thought else f"{reasoning.strip()}\n\n{thought}"


def _refused(response: Response, text: str) -> Failure | None:
    refusal = squeezed(response.refusal)
    return Failure(REFUSAL, refusal) if refusal and not text.strip() else None


def _thought_only(response: Response) -> Failure:
    """What is said of a reply without an answer: where its thought was cut off, what to do."""
    thought = squeezed(response.reasoning)
    begins = f": {thought[:_SHOWN]}{'...' if len(thought) > _SHOWN else ''}" if thought else ""
    if response.finish_reason == "length":
        return Failure(
            THOUGHT_ONLY,
            f"the token limit cut it off within its thought; raise `max_tokens` in the step's `sampling`{begins}",
        )
    return Failure(THOUGHT_ONLY, f"it gave no answer after its thought{begins}")
