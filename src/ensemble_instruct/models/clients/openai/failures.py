"""What an error of a server means, told by its status, its codes and its words."""

from __future__ import annotations

import re
from typing import Literal

from ensemble_instruct.models.clients.openai.messages import ServerMessage

Meaning = Literal[
    "transient", "quota", "key", "no_model", "no_path", "content_filter", "prompt_too_long", "bad_request", "other"
]
"""`transient` may pass; `quota`, `key`, `no_model`, `no_path` and `other` end the run; the rest is of one request."""

_REFUSING = (400, 403, 404, 409, 413, 422, 451)
"""Statuses of a request that is at fault itself."""
_WITHOUT_QUOTA = (400, 401, 403, 412, 429)
"""With which servers say besides 402 that the account has nothing left."""
_PASSING = (408, 409, 421, 423, 424, 425, 429, 499)
"""Statuses besides 5xx that may be another one the next time."""
_FILTERED = re.compile(
    r"content.?(filter|policy|management|moderation)|\bsafety\b|\bmoderation\b|\bflagged\b|guardrail"
    r"|(inappropriate|prohibited|sensitive|unsafe|harmful) (content|information|text)"
    r"|violat\w+ .{0,40}(polic|guideline|terms)|data_?inspection|responsible ?ai",
    re.IGNORECASE,
)
"""How servers say that a filter withheld the answer."""
_FILTERED_CODES = re.compile(
    r"content_?(filter|policy|moderation)|responsibleai|data_?inspection|prohibited_content|invalid_prompt|sensitive"
)
_TOO_LONG = re.compile(
    r"context.?(length|size|window|limit)|max(imum|\.)?[ _]?(allowed |model |prompt |input |sequence |context )*len"
    r"|max_(seq|model|input|prompt|context)_?len|(prompt|input|request|context|message|text|sequence|conversation)s?\b.{0,60}"
    r"\btoo (long|large|big)|\btoo (long|large)\b.{0,60}(model|context|prompt|input|tokens)"
    r"|\btoo many (input |prompt )?tokens|token (count|limit)"
    r"|(less|fewer|more) than [\d,]{1,12} (input |prompt )?tokens"
    r"|(exceed|longer than|limit of|maximum of).{0,60}\btokens?\b"
    r"|tokens?\b.{0,60}(must be <=|exceed|(greater|larger|longer|more|less|fewer) than|at most|maximum)"
    r"|(input|prompt) length|reduce (the length|the size|your (prompt|message|input))"
    r"|(payload|entity) too large|(request|body) size exceed"
    r"|(context|prompt|input)\b.{0,40}\b(overflow|(does|do|did|will) ?n[o']t fit)|n_ctx"
    r"|shorten (the|your)|shorter (prompt|input)"
    r"|(prompt|input|conversation|message|sequence|content)s?\b(?!.{0,60}(temperature|top_|penalt|seed|stop|param))"
    r".{0,40}(exceed|(longer|larger|bigger) than)"
    r"|(?<!_)tokens? [\d,]{1,12} > |(?<!_)tokens?\b.{0,60}(accepts|handles?|takes) (up to|at most)|can only handle"
    r"|zu lang|trop long|demasiado larg|超长|[过太]长|长度超|超[过出].{0,20}(长度|上下文|token)",
    re.IGNORECASE,
)
"""How they say that a prompt is too long; each says it in words of its own."""
_TOO_LONG_CODES = re.compile(r"context_(length|size|window)|too_long|above_max_length|tokens_(limit|exceeded)")
_TOO_LONG_FOR_SURE = re.compile(
    r"maximum context length|context (size|window|length)( has been)? exceed"
    r"|exceed\w*.{0,40}context.(size|window|length)"
    r"|(prompt|input) (is )?too long",
    re.IGNORECASE,
)
"""The same where the status says that the server failed."""
_TOO_LONG_FOR_ITS_RATE = re.compile(r"request too large|must be reduced|reduce your message size", re.IGNORECASE)
"""How a limit of tokens per minute is named that one request alone is above: no waiting helps."""
_REPLY_TOO_LONG = re.compile(
    r"at most \d+ (completion|output) tokens|max\w*_(completion_|output_|new_)?tokens\W{0,3}"
    r"(is too large|cannot|must|should|may not|\d+ ?>|exceeds the (limit|max))",
    re.IGNORECASE,
)
"""How they say that more tokens are asked for than they ever make: the config is at fault, not the prompt."""
_OF_CONTEXT = re.compile(r"context (length|size|window|limit)|\binput|\bprompt|must be <=", re.IGNORECASE)
"""What such a message speaks of when it is the prompt, all the same."""
_QUOTA_CODES = re.compile(
    r"insufficient_?(user_?)?(quota|balance|credits?|funds)|billing_?(hard_limit|not_active|error)|budget_exceeded"
    r"|(quota|credits?|balance|funds)_?(exhausted|depleted)|payment_required|arrearage|access_terminated|out_of_credits"
    r"|spend_?limit|free_?tier_?only|token_quota_failed"
)
_QUOTA = re.compile(
    r"(insufficient|not enough|out of|no more|requires more|exhausted|exceeded)[ \w]{0,40}\b(balance|credits?|funds)\b"
    r"|(spend(ing)?|budget|monthly|usage) (limit|quota|cap)\w* .{0,40}(reached|exceeded|exhausted)|payment required"
    r"|(reached|exceeded|exhausted) .{0,30}(spend(ing)?|budget|monthly|usage) (limit|quota|cap)"
    r"|(any|no) (remaining |more )?credits?\b|credits? (limit|left)"
    r"|used (up )?(all|your).{0,40}(credits?|quota|allocation)"
    r"|insufficient (user |account )?quota|quota (is |was |has been )?(exhausted|used up)|quota_exceeded"
    r"|free (tier|trial|quota).{0,60}(exhausted|ended|expired|used up)|limited to [\d,]{1,12} (api )?calls"
    r"|payment method|past invoices|spending limit"
    r"|account.{0,40}overdue|欠费|额度.{0,6}(不足|用尽|用完|失败)",
    re.IGNORECASE,
)
"""How they say that the account has nothing left."""
_QUOTA_FOR_SURE = re.compile(
    r"balance (is )?(too low|insufficient|not enough)|insufficient (account )?balance|plan and billing"
    r"|billing hard limit|specified (api )?usage limit"
    r"|budget has been exceeded|余额不足",
    re.IGNORECASE,
)
"""The same where the status says that the request is wrong."""
_RATE = re.compile(
    r"per[ _-]?(second|minute|hour|day)|rate.?limit|retry (in|after)|try again in|\b[rt]p[md]\b|too many requests"
    r"|concurren|retry.?delay|throttl|allocated quota|token-limit",
    re.IGNORECASE,
)
"""How they say that there is more of it soon."""
_WRONG_KEY = re.compile(
    r"api.?key (is )?(not valid|invalid|incorrect)|(invalid|incorrect|missing) api.?key", re.IGNORECASE
)
"""How some say with status 400 that the key is wrong."""
_NO_MODEL = re.compile(
    r"model.{0,80}(not found|not exist|not a valid model|not supported by any provider|not available|not loaded"
    r"|not have access|has been (deprecated|retired|removed))|not a valid model|no endpoints found|no allowed providers"
    r"|(unknown|invalid|no such|unsupported) model|deployment .{0,60}not exist|not.{0,30} serve .{0,40}model",
    re.IGNORECASE,
)
"""How they say that they do not serve the model."""
_NO_MODEL_CODES = re.compile(r"model_?(not_?found|not_?supported|does_not_exist)|deployment_?not_?found|invalid_model")
_MODEL = re.compile(r"\bmodels?\b|\bdeployment|\bendpoints found", re.IGNORECASE)
_NO_PATH = re.compile(
    r"unexpected endpoint|invalid url|(unknown|invalid|no such|unsupported) (path|route|endpoint|url)|cannot post /"
    r"|no route|(path|route|page|endpoint|resource|url) .{0,40}not found",
    re.IGNORECASE,
)
"""How they say that there is nothing at the address."""

_NO_TLS = re.compile(r"http request.{0,40}https (server|port)", re.IGNORECASE)
"""How they say that the address must begin with https."""


def meaning_of(status: int, said: ServerMessage, *, may_wait: bool = False) -> Meaning:
    """What an error means; `may_wait`: the server says how long to wait."""
    if status < 400:  # neither an answer nor an error, such as 101 and 304
        return "transient"
    if status == 402 and may_wait:  # OpenRouter, where too much is in flight for what is left
        return "transient"
    if _is_quota(status, said, may_wait=may_wait):
        return "quota"
    if status == 401:
        return "key"
    if (status in _REFUSING or status == 500) and (meaning := _of_this_request(status, said)) is not None:
        return meaning
    if status == 429 and _TOO_LONG_FOR_ITS_RATE.search(said.text):
        return "prompt_too_long"
    if status in _PASSING or status >= 500:
        return "transient"
    return _of_the_config(status, said)


def _of_this_request(status: int, said: ServerMessage) -> Meaning | None:
    """What the prompt alone is refused for, or None."""
    if status == 500:
        return "prompt_too_long" if _TOO_LONG_FOR_SURE.search(said.text) else None
    if said.is_page and status != 413:
        return None
    if status == 451 or _FILTERED.search(said.text) or any(map(_FILTERED_CODES.search, said.codes)):
        return "content_filter"
    if status in (403, 404, 409):
        return None
    if status == 413 or any(map(_TOO_LONG_CODES.search, said.codes)):
        return "prompt_too_long"
    if _TOO_LONG.search(said.text) and not _is_reply_too_long(said.text):
        return "prompt_too_long"
    return None


def _is_reply_too_long(text: str) -> bool:
    """Whether the length of the reply that is asked for is at fault by itself."""
    return _REPLY_TOO_LONG.search(text) is not None and _OF_CONTEXT.search(text) is None


def _of_the_config(status: int, said: ServerMessage) -> Meaning:
    """What all requests of the model are refused for."""
    names_model = any(map(_NO_MODEL_CODES.search, said.codes)) or _NO_MODEL.search(said.text) is not None
    if status in (400, 403) and names_model:
        return "no_model"
    if said.is_page and status == 403:  # of a firewall before it
        return "other"
    if status == 403 or (status == 400 and _WRONG_KEY.search(said.text)):
        return "key"
    if status in (404, 405, 410):
        is_path = status == 405 or said.is_page or not (names_model or _MODEL.search(said.text))
        return "no_path" if is_path else "no_model"
    if _NO_PATH.search(said.text):
        return "no_path"
    if status == 400 and _NO_TLS.search(said.text):
        return "other"
    return "bad_request" if status in (400, 409, 413, 422) else "other"


def _is_quota(status: int, said: ServerMessage, *, may_wait: bool) -> bool:
    """Whether the account has nothing left; a limit of what may be asked in some time is another thing."""
    if status == 402:
        return True
    if status not in _WITHOUT_QUOTA or (status == 429 and _RATE.search(said.text)):
        return False
    is_sure = any(map(_QUOTA_CODES.search, said.codes)) or _QUOTA_FOR_SURE.search(said.text) is not None
    return is_sure or (status != 400 and not may_wait and _QUOTA.search(said.text) is not None)
