"""Why a reply ended, in the names that servers have for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from ensemble_instruct.invisible import harmless
from ensemble_instruct.models.clients.openai.messages import valid

Ending = Literal["stop", "length", "filter", "broken", "call", "other"]
"""By itself or at a stop string; at a limit; withheld by a filter; before its time; in the call of a tool; else."""

_NAMES: dict[Ending, str] = {
    "stop": "stop stop_sequence stop_token stop_str stop_string eos eos_token end_turn end_of_turn end_of_text complete"
    " completed finished done end natural_stop stopped null none",
    "length": "length max_tokens max_token max_length max_new_tokens max_output_tokens max_completion_tokens"
    " max_tokens_reached max_tokens_exceeded model_length max_model_length token_limit token_limit_reached tokens_limit"
    " limit length_limit length_capped length_cutoff limit_reached context_length context_length_exceeded"
    " context_window_exceeded model_context_window_exceeded max_context_length error_limit truncated incomplete"
    " time_limit max_time budget_exhausted",
    "filter": "content_filter content_filtered content_filter_error filter filtered safety image_safety recitation"
    " image_recitation prohibited_content image_prohibited_content blocklist spii refusal refused sensitive"
    " sensitive_content guardrail guardrails guardrail_intervened moderation moderated blocked flagged error_toxic"
    " toxicity content_policy content_policy_violation risk censored model_armor language",
    "broken": "error abort aborted cancelled canceled cancel network_error insufficient_system_resource not_finished"
    " unavailable server_error internal_error failed interrupted connection_error upstream_error timeout user_cancel"
    " expired preempted unexpected_eos engine_error",
    "call": "tool_calls tool_call tool_use function_call function_calls malformed_function_call pause_turn"
    " unexpected_tool_call tool malformed_tool_call",
}
"""How vLLM, SGLang, TGI, Gemini, Anthropic, Mistral, Cohere, Bedrock, watsonx, DeepSeek, Zhipu and others call each."""
_LIKE: dict[Ending, re.Pattern[str]] = {
    "filter": re.compile(r"filter|safety|moderat|policy|prohibit|guardrail|violat|harm|blocked"),
    "broken": re.compile(r"error|fail|abort|cancel|interrupt|disconnect|unavailable|quota|rate_limit|memory"),
    "length": re.compile(
        r"(^|_)(len|length|limit|max|maximum|max_\w+|\w+_max|trunc\w*|budget|cut_?off|exceeded|exhausted|overflow|full"
        r"|out_of|too_long|n_predict|num_predict|partial)(_|$)"
    ),
}
"""What is in the names that others have for it."""
_ENDINGS: dict[str, Ending] = {name: ending for ending, names in _NAMES.items() for name in names.split()}


def ending_of(finish_reason: object) -> Ending:
    """What a server's word for the end of a reply means; nothing means that it ended by itself."""
    if finish_reason is None or finish_reason == "":
        return "stop"
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(finish_reason)[:100])  # camelCase
    name = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    name = re.sub(r"^(finish_?reason|finish|stop_?reason)_(?=.)", "", name)
    if name.startswith("content_filter"):  # Gemini over this protocol: `content_filter: RECITATION`
        return "filter"
    like: Iterator[Ending] = (ending for ending, words in _LIKE.items() if words.search(name))
    return _ENDINGS[name] if name in _ENDINGS else next(like, "other")


def reason_of(finish_reason: object) -> str:
    """Why a reply ended, as the records have it: `stop`, `length`, or the server's own word."""
    ending = ending_of(finish_reason)
    return ending if ending in ("stop", "length") else harmless(valid(str(finish_reason)[:100]))
