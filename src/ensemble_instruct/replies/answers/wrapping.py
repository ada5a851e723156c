# ruff: noqa: RUF001 - letters of other scripts
"""What a chat model puts around an answer, a label before it, a fence of Markdown or a tag, taken away."""

from __future__ import annotations

import re

from ensemble_instruct.replies.answers.asked_for import asks_for_code, asks_for_label, changes_a_text
from ensemble_instruct.replies.answers.cut import Cut, trimmed
from ensemble_instruct.replies.answers.fences import FENCE_LINE, closes

_NAMES = (
    r"(?:output|answer|response|antwort|réponse|respuesta|resposta|risposta|antwoord|odpowiedź|ответ|"
    r"答案|回答|答|输出|輸出|回复|回復|答え|解答|出力|답변|정답|답|출력|응답)"
)
_LABEL = re.compile(
    r"[ \t]*(?P<heading>\#{1,6}[ \t]+)?(?P<bold>\*{1,3}|_{1,3})?"
    r"(?:(?:the|my|your)[ ])?(?:(?:final|correct|model|best|short|expected|suggested)[ ])?"
    rf"(?P<name>{_NAMES})(?P<shut>\*{{1,3}}|_{{1,3}})?[ \t\u00a0\u202f]*(?P<colon>[:：])?(?P<end>\*{{1,3}}|_{{1,3}})?"
    r"(?P<alone>[ \t]*(?=[\r\n]))?[ \t]*",
    re.IGNORECASE,
)
_LABELLED = re.compile(rf"(?:^|[\n:\"“«„「])\s*{_NAMES}\s?[:：]\s*\S", re.IGNORECASE)
"""A label in a task, with something after it."""
_RELATED = (
    r"(?:question|q|answer|a|explanations?|reason(?:ing)?|rationale|justification|input|output|response|evidence|"
    r"confidence|thought|hint|solution|prompt|instruction|frage|antwort|erklärung|begründung|eingabe|ausgabe|réponse|"
    r"explication|pregunta|respuesta|explicación|justificación|pergunta|resposta|explicação|justificativa|domanda|"
    r"risposta|spiegazione|motivazione|vraag|antwoord|uitleg|pytanie|odpowiedź|wyjaśnienie|uzasadnienie|вопрос|ответ|"
    r"объяснение|пояснение|обоснование|问题|問題|答案|回答|解释|解釋|解析|说明|說明|原因|理由|输入|輸入|输出|輸出|質問|説明|"
    r"解説|入力|出力|질문|답변|설명|해설|이유|입력|출력)"
)
_MORE_LABELS = re.compile(
    rf"(?:^[ \t>*_\#-]{{0,12}}(?:\d+[.)][ ])?|[.;!?,|][ ]+[*_]*){_RELATED}(?:[ ]\d+)?[*_]*\s?[:：]|"
    rf"^(?:\#{{1,6}}[ ]|\*\*){_RELATED}(?:\*\*)?[ \t]*\r?$",
    re.IGNORECASE | re.MULTILINE,
)
"""Labels beside which a label is part of a structure, as `Explanation:` is beside `Answer:`."""
_KEY = re.compile(r"^[ \t]*[\w-]+:(?:[ \t]|\r?$)", re.MULTILINE)
"""A line of YAML."""
_FENCED = re.compile(
    r" {0,3}(?P<mark>`{3,}|~{3,})[ \t]*\r?\n(?P<inside>.*\n) {0,3}(?P<shut>`{3,}|~{3,})[ \t]*", re.DOTALL
)
_FENCED_LINE = re.compile(r"(?P<mark>`{3,})[ \t]*(?P<inside>[^`\n]+?)[ \t]*(?P<shut>`{3,})")
_TAGGED = re.compile(
    r"(?P<open><(?P<tag>(?:final_?)?answer|output|response|reply)>)(?P<inside>.*)(?P<shut></(?P=tag)>)",
    re.DOTALL | re.IGNORECASE,
)
_OF_TAGS = re.compile(r"\b(?:xml|x?html|tags?|markup)\b|<", re.IGNORECASE)
"""What a task has in which a tag may be asked for."""
_CODE_LINE = re.compile(
    r"^[ \t]*(?:def \w+\(|class \w+[(:{]|import \w+|from \w[\w.]* import |\#include|function \w*\(|public |private |"
    r"(?:const|let|var) \w+ =|select .{1,200} from |<[a-z!/][^>\n]{0,200}>|\$ \w|(?:if|for|while) \(|[{\[]\r?$)|"
    r"(?:\);|[{}]|=.*;)[ \t\r]*$",
    re.IGNORECASE | re.MULTILINE,
)


def without_label(text: str, task: str) -> Cut | None:
    """Without `Output:`, `Answer:` or `Response:` at the start, unless the task asks for it.

    It stays beside related labels, as in `Answer: …` and `Explanation: …`: the text is in parts then.
    """
    label = _LABEL.match(text)
    if label is None or not _is_label(label):
        return None
    rest = text[label.end() :]
    if (label["heading"] or "").startswith("# ") and asks_for_code(task):  # a comment
        return None
    if label["name"].islower() and _KEY.search(rest):
        return None
    if changes_a_text(task) and _LABELLED.search(task):  # a translated label is the answer's
        return None
    if asks_for_label(task, label["name"]) or _MORE_LABELS.search(rest):
        return None
    removed = label[0].strip()
    if label["bold"] and not label["shut"] and not label["end"]:  # all of the line is bold, not the label alone
        rest, removed = label["bold"] + rest, removed.removeprefix(label["bold"])
    return Cut(trimmed(rest), (removed,))


def without_fence(text: str, task: str) -> Cut | None:
    """Without a fence around the whole text that names no language and holds no code, if the task asks for none."""
    fence = _FENCED.fullmatch(text) or _FENCED_LINE.fullmatch(text)
    if fence is None or not fence["shut"].startswith(fence["mark"]):
        return None
    inside = fence["inside"]
    if any(closes(line, fence["mark"]) for line in FENCE_LINE.finditer(inside)):
        return None
    if asks_for_code(task) or _CODE_LINE.search(inside) or ("\n" not in inside and asks_for_code(inside)):
        return None
    return Cut(trimmed(inside), (fence["mark"],), (fence["shut"],))


def without_tag(text: str, task: str) -> Cut | None:
    """Without `<answer>` and `</answer>` around the whole text, unless the task is about tags."""
    tagged = _TAGGED.fullmatch(text)
    if tagged is None or _OF_TAGS.search(task) or tagged["open"].lower() in tagged["inside"].lower():
        return None
    return Cut(trimmed(tagged["inside"]), (tagged["open"],), (tagged["shut"],))


def _is_label(label: re.Match[str]) -> bool:
    """A colon makes a label; a heading or bold type does so where it stands alone on its line."""
    if label["colon"]:
        return True
    is_bold = label["bold"] is not None and label["bold"] == label["shut"]
    return label["alone"] is not None and (label["heading"] is not None or is_bold)
