"""A reply as the steps get it: what the model said, without what belongs to the protocol."""

from __future__ import annotations

from ensemble_instruct.records import Failure, Profile, Response

READING = "2"
"""Counts how replies have been read: another way may make other records of the same replies."""


def read_reply(response: Response, profile: Profile) -> Response | Failure:
    """The response as it is read, or why there is nothing to read."""
    if not response.text and response.refusal:
        return Failure("refusal", response.refusal)
    if not response.text and (response.reasoning or response.finish_reason == "length"):
        return Failure("thought_only", f"the token limit cut the thought off; raise max_tokens ({profile})")
    return response
