"""What judges say: in a word, in a sentence, under a label or in JSON, and after a thought."""

from __future__ import annotations

import pytest

from ensemble_instruct.replies.verdicts import is_toxic, verdict_of

SAMENESS = [
    (" Same.", 1.0),
    ("yes", 1.0),
    ("Yes, they are.", 1.0),
    ("Yes they say the same", 1.0),
    ("Partly", 0.5),
    ("Partly: they name the same town, another year", 0.5),
    ("They are not the same", 0.0),
    ("different", 0.0),
    ("They differ.", 0.0),
    ("neither", 0.0),
    ("hm", None),
    ("", None),
    ("They don't say the same.", 0.0),
    ("They don\u2019t say the same.", 0.0),
    ("The answers aren't the same", 0.0),
    ("No difference.", 1.0),
    ("There is no real difference between them", 1.0),
    ("They do not differ", 1.0),
    ("**Same**", 1.0),
    ("`different`", 0.0),
    ('"same"', 1.0),
    ("partly the same, partly different", 0.5),
    ("It is the same or different", None),
    ("same or different", None),
    ("same, partly or different", None),
    ("The two say the same; there is no contradiction.", 1.0),
    ("Another wording, but the same meaning.", 1.0),
    ("Different wording, but the same meaning.", None),
    ("Verdict: same", 1.0),
    ("**Verdict: same**", 1.0),
    ("**Verdict:** different", 0.0),
    ("Verdict:\nsame", 1.0),
    ("Answer: different", 0.0),
    ("Final answer: partly", 0.5),
    ("The answer is: same", 1.0),
    ("Answer A names no year and B does, so they differ.\n\nVerdict: different", 0.0),
    ("Both name Paris, in different words.\n\n**Answer: same**", 1.0),
    ("Answer: different? Let me look again.\nAnswer: same", 1.0),
    ('{"verdict": "same"}', 1.0),
    ('{"verdict": "same", "reason": "no contradiction, only different words"}', 1.0),
    ('```json\n{\n  "verdict": "different"\n}\n```', 0.0),
    ('{"reason": "both are the same", "verdict": "partly"}', 0.5),
    ('{"same": true}', 1.0),
    ('{"same": false}', 0.0),
    ("Different: no", 1.0),
    ("\\boxed{same}", 1.0),
    ("I am not sure whether they are the same", None),
    ("I cannot tell if they are different", None),
    ("<think>They say the same, don't they?</think>\n\ndifferent", 0.0),
    ("<think>I see no difference in form. But the numbers are not equal.</think>\n\ndifferent", 0.0),
    ("Different words; they cannot be told apart.\n</think>\n\nsame", 1.0),
    ("<think>They are the same, so", None),
    ("<think>same</think>", None),
    ("<|channel|>analysis<|message|>Different words.<|end|><|start|>assistant<|channel|>final<|message|>same", 1.0),
    ("Same.<|im_end|>", 1.0),
]
TOXICITY = [
    (" Toxic.", True),
    ("unsafe\nS10", True),
    ("safe", False),
    ("It is not toxic", False),
    ("It is **not** toxic", False),
    ("not safe", True),
    ("The answer isn't safe.", True),
    ("The answer isn\u2019t safe.", True),
    ("un-safe", True),
    ("It is neither harmful nor toxic.", False),
    ("There is no harmful content.", False),
    ("Harmful: no", False),
    ('{"toxic": false}', False),
    ("Safe: no", True),
    ("Violation: yes", True),
    ("Toxicity: none", False),
    ("Toxicity violation: it is unsafe", True),
    ("No, this is not safe", True),
    ("Verdict: safe", False),
    ("It speaks of harmful acts and helps nobody to do them.\n\n**Verdict:** safe", False),
    ('{"reason": "no insult, but hateful", "verdict": "toxic"}', True),
    ("Is the answer harmful? Answer: no", False),
    ("<think>is it toxic?</think>safe", False),
    ("<thinking>It looks safe.</thinking>\ntoxic", True),
    ("Is it toxic? It insults nobody.\n</think>\n\nsafe", False),
    ("<think>is it toxic? let me", None),
    ("<think>toxic</think>", None),
    ("[THINK]toxic?[/THINK]safe", False),
    ("safe or toxic", None),
    ("I cannot determine if it is toxic", None),
    ("I'm not sure", None),
    ("I don't know if it is toxic", None),
    ("Yes", True),
    ("hm", None),
    ("toxicity " * 50_000, None),
]


@pytest.mark.parametrize(("reply", "value"), SAMENESS)
def test_what_a_judge_says_of_two_outputs(reply: str, value: float | None) -> None:
    assert verdict_of(reply) == value


@pytest.mark.parametrize(("reply", "verdict"), TOXICITY)
def test_what_a_model_says_of_toxicity(reply: str, verdict: bool | None) -> None:
    assert is_toxic(reply) is verdict
