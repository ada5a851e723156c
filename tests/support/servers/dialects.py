"""The servers that the docs name, as small ones: each accepts and refuses what the real one does by its documentation.

Where documentation is silent, public reports of the real server's replies are followed. What a prompt holds decides
what becomes of it: `LONG`, `FILTERED`, `BUSY` and `POOR` are refused, in each server's own words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web

LONG, FILTERED, BUSY, POOR = "[too long]", "[filtered]", "[busy]", "[poor]"
KEY = "sk-the-right-key"
_OF_OPENAI = (
    "model", "messages", "prompt", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "seed", "n",
    "presence_penalty", "frequency_penalty", "response_format", "reasoning_effort", "stream", "stream_options",
)  # fmt: skip
Body = Mapping[str, Any]
Refusing = Callable[[Body], web.Response | None]


def told(content: Any, status: int, **headers: str) -> web.Response:
    return web.json_response(
        content, status=status, headers={name.replace("_", "-"): headers[name] for name in headers}
    )


def openai(message: str, status: int = 400, *, code: Any = None, param: str | None = None, **more: Any) -> web.Response:
    kind = more.pop("type", "invalid_request_error")
    return told({"error": {"message": message, "type": kind, "param": param, "code": code, **more}}, status)


def google(message: str, status: int, name: str) -> web.Response:
    return told([{"error": {"code": status, "message": message, "status": name}}], status)


def old_vllm(message: str, status: int = 400) -> web.Response:
    return told(
        {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": status}, status
    )


def validation(message: str) -> web.Response:
    return told({"error": f"Input validation error: {message}", "error_type": "validation"}, 422)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One server. `served` changes a completion into its own form of one."""

    too_long: Callable[[], web.Response | None] = lambda: None
    filtered: Callable[[], web.Response | None] = lambda: None
    busy: Callable[[], web.Response | None]
    poor: Callable[[], web.Response | None] = lambda: None
    no_model: Callable[[], web.Response]
    wrong_key: Callable[[], web.Response] | None = None
    """None: it wants no key."""
    key_header: str = "Authorization"
    query: Mapping[str, str] = field(default_factory=dict)
    follows: tuple[str, ...] = ()
    """Of `seed`, `top_k` and `min_tokens`, what it goes by."""
    refuses: Refusing = lambda body: None
    served: Callable[[dict[str, Any], Body], None] = lambda reply, body: None

    def refusal(self, request: web.BaseRequest, body: Body, model: str) -> web.Response | None:
        """What it answers in place of a completion, or None."""
        if self.wrong_key is not None and request.headers.get(self.key_header) not in (KEY, f"Bearer {KEY}"):
            return self.wrong_key()
        if dict(request.query) != dict(self.query):
            return openai("Resource not found", 404, code="404")
        if body["model"] != model:
            return self.no_model()
        if (refusal := self.refuses(body)) is not None:
            return refusal
        asked = json.dumps(body.get("messages", body.get("prompt")))
        cases = {LONG: self.too_long, FILTERED: self.filtered, BUSY: self.busy, POOR: self.poor}
        return next((reply() for mark, reply in cases.items() if mark in asked), None)


def _thinking(body: Body) -> web.Response | None:
    """A model of OpenAI that thinks."""
    for name in body:
        if name not in _OF_OPENAI:
            return openai(f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)
    if "max_tokens" in body:
        instead = "Use 'max_completion_tokens' instead."
        return openai(f"Unsupported parameter: 'max_tokens' is not supported with this model. {instead}",
                      code="unsupported_parameter", param="max_tokens")  # fmt: skip
    if "stop" in body:
        return openai("Unsupported parameter: 'stop' is not supported with this model.",
                      code="unsupported_parameter", param="stop")  # fmt: skip
    for name, fixed in (("temperature", 1), ("top_p", 1), ("presence_penalty", 0), ("frequency_penalty", 0)):
        if body.get(name, fixed) != fixed:
            return openai(f"Unsupported value: '{name}' does not support {body[name]} with this model. Only the "
                          f"default ({fixed}) value is supported.", code="unsupported_value", param=name)  # fmt: skip
    return None


def _strict_google(body: Body) -> web.Response | None:
    known = {*_OF_OPENAI, "extra_body"} - {"seed"}
    unknown = [
        f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
        for name in body
        if name not in known
    ]
    return google("\n".join(unknown), 400, "INVALID_ARGUMENT") if unknown else None


def _claude(body: Body) -> web.Response | None:
    for name in body:
        if name not in _OF_OPENAI:
            return openai(f"{name}: Extra inputs are not permitted", code="invalid_request_error")
    if any(not stop.strip() for stop in body.get("stop", ())):
        return openai("stop_sequences: each stop sequence must contain non-whitespace", code="invalid_request_error")
    if {"temperature", "top_p"} <= {*body}:
        return openai("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    return None


def _tgi(body: Body) -> web.Response | None:
    if not 0 < body.get("top_p", 0.5) < 1:
        return validation("`top_p` must be > 0.0 and < 1.0")
    if len(body.get("stop", ())) > 4:
        return validation(f"`stop` supports up to 4 stop sequences. Given: {len(body['stop'])}")
    if "response_format" in body:
        variant = "unknown variant `json_schema`, expected one of `json`, `regex`"
        text = (
            f"Failed to deserialize the JSON body into the target type: response_format: {variant} at line 1 column 9"
        )
        return web.Response(status=422, text=text)
    return None


def _usage(**more: Any) -> Callable[[dict[str, Any], Body], None]:
    def served(reply: dict[str, Any], body: Body) -> None:
        reply |= {"model": body["model"], **more}

    return served


def _of_tgi(reply: dict[str, Any], body: Body) -> None:
    choice = reply["choices"][0]
    choice["finish_reason"] = {"stop": "eos_token"}.get(choice["finish_reason"], choice["finish_reason"])
    choice["message"]["content"] += next(iter(body.get("stop", ())), "")
    reply["object"] = "chat.completion"


def _of_openrouter(reply: dict[str, Any], body: Body) -> None:
    reply |= {"model": body["model"], "provider": "DeepInfra"}
    reply["choices"][0] |= {"native_finish_reason": "STOP", "logprobs": None}
    reply["usage"] |= {"cost": 0.0001, "is_byok": False}


def _behind_openrouter(message: str) -> web.Response:
    raw = json.dumps({"error": {"message": message, "type": "invalid_request_error"}})
    error = {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, "provider_name": "DeepInfra"}}
    return told({"error": error}, 400)


def _routed(body: Body) -> web.Response | None:
    return None if body.get("provider") else openai("no provider was named", code=400)


def answer_of(dialect: Dialect, body: Body, tries: int) -> str:
    """The text of a model that talks by chance, but for what its server goes by; its last word is always chance."""
    chance = body.get("seed") if "seed" in dialect.follows else tries
    is_sure = "top_k" in dialect.follows and body.get("top_k") == 1
    if body.get("temperature", 1) <= 0.7 or is_sure or "capital" in json.dumps(body):
        return "Paris."
    return " ".join(Random(chance).choices("abcdefgh", k=9)) + f" {tries}"


_CONTEXT = "This model's maximum context length is 4096 tokens. However, your request has 9000 input tokens."
_AZURE = Dialect(
    key_header="api-key",
    wrong_key=lambda: told({"error": {"code": "401", "message": "Access denied: invalid subscription key."}}, 401),
    refuses=_thinking,
    too_long=lambda: openai(_CONTEXT, code="context_length_exceeded", param="messages"),
    filtered=lambda: openai("The response was filtered due to the prompt triggering our content management policy.",
                            code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
    busy=lambda: told({"error": {"code": "429", "message": "Requests have exceeded the token rate limit. Please "
                                 "retry after 6 seconds."}}, 429, Retry_After="6"),
    no_model=lambda: told({"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource "
                                     "does not exist."}}, 404),
    served=lambda reply, body: reply["choices"][0].update(content_filter_results={"hate": {"filtered": False}}),
)  # fmt: skip
DIALECTS: Mapping[str, Dialect] = {
    "vLLM": Dialect(
        follows=("seed", "top_k", "min_tokens"),
        wrong_key=lambda: told({"error": "Unauthorized"}, 401),
        too_long=lambda: openai(_CONTEXT, type="BadRequestError", code=400),
        busy=lambda: web.Response(status=503, text="upstream connect error"),
        no_model=lambda: openai("The model `x` does not exist.", 404, type="NotFoundError", code=404),
        served=_usage(service_tier=None, kv_transfer_params=None),
    ),
    "SGLang": Dialect(
        follows=("top_k", "min_tokens"),
        wrong_key=lambda: told({"error": "Unauthorized"}, 401),
        too_long=lambda: old_vllm("The input (9000 tokens) is longer than the model's context length (4096 tokens)."),
        busy=lambda: old_vllm("The request queue is full.", 503),
        no_model=lambda: old_vllm("The model `x` does not exist.", 404),
        served=_usage(metadata={"weight_version": "default"}),
    ),
    "llama.cpp": Dialect(
        follows=("seed", "top_k"),
        wrong_key=lambda: openai("Invalid API Key", 401, type="authentication_error", code=401),
        too_long=lambda: openai("the request exceeds the available context size, try increasing it", code=400,
                                type="exceed_context_size_error", n_prompt_tokens=9000, n_ctx=4096),
        busy=lambda: openai("Loading model", 503, type="unavailable_error", code=503),
        no_model=lambda: openai("model 'x' not found", 400, type="invalid_request_error", code=400),
        served=_usage(timings={"predicted_n": 3}),
    ),
    "Ollama": Dialect(
        follows=("seed",),
        busy=lambda: openai("server busy, please try again.  maximum pending requests exceeded", 503, type="api_error"),
        no_model=lambda: openai('model "x" not found, try pulling it first', 404, type="api_error"),
        served=_usage(system_fingerprint="fp_ollama"),
    ),
    "LM Studio": Dialect(
        follows=("seed", "top_k"),
        too_long=lambda: told({"error": "Trying to keep the first 9000 tokens when context the overflows. However, the "
                               "model is loaded with context length of only 4096 tokens, which is not enough."}, 400),
        busy=lambda: told({"error": "The model has crashed without additional information."}, 500),
        no_model=lambda: openai("No models loaded. Please load a model in the developer page.", 404),
        served=_usage(stats={}),
    ),
    "TGI": Dialect(
        follows=("seed",),
        refuses=_tgi, served=_of_tgi,
        too_long=lambda: validation("`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 9000 `inputs` tokens"),
        busy=lambda: told({"error": "Model is overloaded", "error_type": "overloaded"}, 429),
        no_model=lambda: told({"error": "Model x not found", "error_type": "not_found"}, 404),
    ),
    "OpenAI": Dialect(
        wrong_key=lambda: openai("Incorrect API key provided: sk-the*****key.", 401, code="invalid_api_key"),
        refuses=_thinking,
        too_long=lambda: openai("Input tokens exceed the configured limit of 272000 tokens.",
                                code="context_length_exceeded", param="messages"),
        filtered=lambda: openai("Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
                                code="invalid_prompt"),
        busy=lambda: openai("Rate limit reached for x on requests per min (RPM): Limit 3. Please try again in 20s.",
                            429, type="requests", code="rate_limit_exceeded"),
        poor=lambda: openai("You exceeded your current quota, please check your plan and billing details.", 429,
                            type="insufficient_quota", code="insufficient_quota"),
        no_model=lambda: openai("The model `x` does not exist or you lack access to it.", 404, code="model_not_found"),
        served=lambda reply, body: reply["usage"].update(completion_tokens_details={"reasoning_tokens": 20}),
    ),
    "Azure": _AZURE,
    "Azure, dated": Dialect(**{
        **{name: getattr(_AZURE, name) for name in Dialect.__dataclass_fields__},
        "query": {"api-version": "2024-10-21"},
    }),
    "OpenRouter": Dialect(
        wrong_key=lambda: told({"error": {"message": "User not found.", "code": 401}}, 401),
        refuses=_routed, served=_of_openrouter,
        too_long=lambda: _behind_openrouter("This endpoint's maximum context length is 4096 tokens."),
        filtered=lambda: told({"error": {"message": "Your chosen model requires moderation and your input was flagged",
                                         "code": 403, "metadata": {"reasons": ["violence"]}}}, 403),
        busy=lambda: told({"error": {"message": "Provider returned error", "code": 429}}, 200),
        poor=lambda: told({"error": {"message": "Insufficient credits. Add more in the settings.", "code": 402}}, 402),
        no_model=lambda: told({"error": {"message": "x is not a valid model ID", "code": 400}}, 400),
    ),
    "Gemini": Dialect(
        wrong_key=lambda: google("API key not valid. Please pass a valid API key.", 400, "INVALID_ARGUMENT"),
        refuses=_strict_google,
        too_long=lambda: google("The input token count (1050000) exceeds the maximum number of tokens allowed.",
                                400, "INVALID_ARGUMENT"),
        filtered=lambda: told({"choices": [{"index": 0, "message": {"role": "assistant"},
                                            "finish_reason": "content_filter: PROHIBITED_CONTENT"}]}, 200),
        busy=lambda: google("You exceeded your current quota, please check your plan and billing details. Quota "
                            "exceeded for metric: generate_requests, limit: 10. Please retry in 34.07s.",
                            429, "RESOURCE_EXHAUSTED"),
        no_model=lambda: google("models/x is not found for API version v1main, or not supported for generateContent.",
                                404, "NOT_FOUND"),
    ),
    "Anthropic": Dialect(
        wrong_key=lambda: openai("invalid x-api-key", 401, type="authentication_error"),
        refuses=_claude,
        too_long=lambda: openai("prompt is too long: 212345 tokens > 200000 maximum"),
        filtered=lambda: told({"choices": [{"index": 0, "message": {"role": "assistant", "content": "I"},
                                            "finish_reason": "refusal"}]}, 200),
        busy=lambda: openai("Overloaded", 529, type="overloaded_error"),
        poor=lambda: openai("Your credit balance is too low to access the Anthropic API."),
        no_model=lambda: openai("model: x", 404, type="not_found_error"),
    ),
}  # fmt: skip
