"""The control tokens of chat templates, where a server leaves them in a text: they end it, or begin it."""

from __future__ import annotations

import re

from ensemble_instruct.replies.quoted import Quoted

_ROLE = r"(?:assistant|model|chatbot|gpt|bot|ai)"
"""How templates call the one who answers."""
_BARRED = (
    r"end|start|bos|pad|sep|separator|eo[a-z](?:_id|_token)?|(?:end|begin|start)[_\u2581 ]?of[_\u2581 ]?[\w\u2581]+|"
    r"(?:start|end)_(?:header_id|response|thinking)|(?:user|chatbot|system)_token|im_[a-z]+|hy_\w+|"
    r"fim[_\u2581][\w\u2581]+|"
    r"(?:header|role|turn|message|content|user|system|assistant|tool|developer)_(?:start|end|begin|sep)|"
    r"user|user_?prompt|assistant|system|human|chatbot|bot|prompter|developer|tool|observation|"
    r"channel|message|return|call|constrain|refusal|python_tag|tool[_\u2581]calls?[\w\u2581]*|startoftext"
)
"""What stands between the bars of a token."""
_ENDING = (
    rf"<[|\uff5c](?i:{_BARRED})[|\uff5c]>|<\|turn>|<turn\|>|"
    r"<(?:bos|eos|pad|eop|eoa|EOS_TOKEN|BOS_TOKEN|PAD_TOKEN|(?:end|start)_of_(?:turn|utterance|sentence)|seed:[be]os|"
    r"extra_id_\d+)>|"
    r"</s>|<s(?:\s[^<>\n]{0,200})?>|\[/?INST\]|\[/?(?:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|<</?SYS>>|\[e~\[|"
    r"\[\|(?:endofturn|assistant|user|system|tool)\|\]|\[EOS\](?=\s*\Z)"
)
"""A token that ends a text; `[EOS]` at its very end alone, since people write it too."""
_TOKEN = re.compile(_ENDING)
_HTML = re.compile(r"<s[\s>]")
_BEFORE_TURN = re.compile(rf"<s>\s*(?:{_ENDING}|\Z)")
"""An opening `<s>` that begins the next turn; another one is HTML for text that is struck out."""
_BOX = re.compile(r"<\|(?:begin|end)_of_box\|>")
"""What GLM puts around the result in its answer, which stays."""
_NAMED_AFTER = re.compile(r" (?:special )?(?:tokens?|tags?|markers?|symbols?|strings?)\b")
_NAMED_BEFORE = re.compile(r"\b(?:tokens?|tags?|markers?|symbols?|strings?) $")
"""What stands beside a token that a sentence speaks of."""
_HEADER = (
    rf"<\|im_start\|>(?!\s*(?:user|system|tool|human|developer)\b)(?:\s*{_ROLE}\b)?(?:<\|im_sep\|>)?|"
    rf"<\|im_assistant\|>(?:\s*{_ROLE}\b)?(?:<\|im_middle\|>)?|<\|start_of_role\|>\s*{_ROLE}[^<\n]{{0,80}}<\|end_of_role\|>|"
    rf"<\|start_header_id\|>\s*{_ROLE}\s*<\|end_header_id\|>|<\|header_start\|>\s*{_ROLE}\s*<\|header_end\|>|"
    rf"<(?:start_of_turn|\|turn)>\s*{_ROLE}\b|<\|start\|>\s*{_ROLE}\b|<\|START_OF_TURN_TOKEN\|>\s*<\|CHATBOT_TOKEN\|>|"
    r"<[|\uff5c](?:(?i:assistant(?:_start)?|bot|chatbot)|hy_Assistant)[|\uff5c]>|\[\|assistant\|\]|\[/INST\]"
)
"""What begins the turn of the one who answers."""
_BEGIN = (
    r"<s>(?!\S[^\n<]{0,500}</s>[ \t]*[^\s<\[])|<bos>|<pad>|<BOS_TOKEN>|<sop>|<seed:bos>(?:assistant\b)?|"
    r"\[gMASK\]|\[BOS\]|"
    r"<[|\uff5c](?:(?:begin|start)[_\u2581]?of[_\u2581]?(?:text|sentence|solution)|bos|message|START_RESPONSE)[|\uff5c]>"
)
"""What begins a text or an answer."""
_END = r"<\|(?:im_end|eot_id|eot|end|end_of_text|endoftext|user_end|END_OF_TURN_TOKEN)\|>|<end_of_turn>|<turn\|>|</s>"
"""What ends the turn of the user, where the model writes the header of its own turn itself."""
_BARE_HEADER = re.compile(r"\s*(?:assistant\r?\n\r?\n)+(?=\S)")
"""The header of Llama's turn, where a server took its tokens."""
_SPACE = re.compile(r"[\s\ufeff\u200b]+")
_START = re.compile(rf"(?:(?:{_HEADER}|{_BEGIN}|(?:{_END})\s*(?={_HEADER}))\s*)*")
"""All that may stand before a text."""


def after_start(text: str, place: int = 0) -> int:
    """The place after white space, start tokens and the header of the assistant's turn, if any stand at this place."""
    if blank := _SPACE.match(text, place):
        place = blank.end()
    found = _START.match(text, place) if text[place : place + 1] in ("<", "[") else None
    return place if found is None else found.end()


def before_control_token(text: str) -> tuple[str, bool]:
    """The text up to the first control token, and whether there is one: then the text is complete.

    Start tokens and the header of the assistant's turn at the very start are left out and end nothing. A token that
    is quoted as code or between quotation marks, and `<s>...</s>` of HTML, are text. Without any, the same object.
    """
    if bare := _BARE_HEADER.match(text):
        text = text[bare.end() :]
    if "<" not in text and "[" not in text:
        return text, False
    start = after_start(text)
    content = text[start:] if text[:start].strip() else text
    if "_of_box|>" in content:
        content = _BOX.sub("", content)
    end = _first_end(content)
    return (content, False) if end is None else (content[:end], True)


def _first_end(text: str) -> int | None:
    """Where the first token stands that ends a text."""
    quoted: Quoted | None = None
    struck_out = 0
    for token in _TOKEN.finditer(text):
        quoted = quoted or Quoted(text)
        if quoted.holds(*token.span()) or _is_named(text, *token.span()):
            continue
        if _HTML.match(token[0]) and not _BEFORE_TURN.match(text, token.start()):
            struck_out += 1
        elif token[0] == "</s>" and struck_out:
            struck_out -= 1
        else:
            return token.start()
    return None


def _is_named(text: str, begin: int, end: int) -> bool:
    """Whether a sentence speaks of a token, as in `the </s> token`."""
    return bool(_NAMED_AFTER.match(text, end) or _NAMED_BEFORE.search(text[max(0, begin - 12) : begin]))
