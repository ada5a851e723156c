"""What makes two texts the same answer.

    forms     a text without what makes no difference to an answer; when two texts are the same one
    short     when outputs of a few words are the same answer to their task
    results   the result in which a long output ends

Public: `Answers`, `answer_form`, `is_same_answer`, `source_of`.
"""

from ensemble_instruct.agreement.answers.forms import Answers, answer_form, is_same_answer, source_of

__all__ = ["Answers", "answer_form", "is_same_answer", "source_of"]
