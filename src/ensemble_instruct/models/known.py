"""The answers that a model has given already, looked up by what it was asked; nothing is asked."""

from __future__ import annotations

from collections.abc import Callable

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.asking import as_asked, request_key
from ensemble_instruct.prompts.forms import Form, form_of
from ensemble_instruct.records import Answer, Profile, Request
from ensemble_instruct.replies.reader import read_answer

AnswerOf = Callable[[str], Answer | None]
"""Looks up the committed answer under a key."""


class KnownAnswers:
    """What one model has answered, read as the steps read it."""

    def __init__(self, answer_of: AnswerOf, section: ModelSection, profile: Profile, form: Form | None = None) -> None:
        self.form = form or form_of(section.endpoint, profile)
        """How the model was asked."""
        self._answer_of, self._section, self._identity = answer_of, section, section.identity
        self._profile: Profile = profile

    def to(self, request: Request) -> Answer | None:
        """The answer to a request, or None where the model was not asked."""
        answer = self._answer_of(request_key(self._identity, as_asked(self._section, request)))
        return None if answer is None else read_answer(answer, self._profile)
