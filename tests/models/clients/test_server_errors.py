"""What the `openai` client makes of errors as servers word them: tried again, a drop, or one line that ends the run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import (
    AuthenticationError,
    ModelError,
    QuotaError,
    RequestRefusedError,
    TransientError,
    UnknownModelError,
)
from ensemble_instruct.models.clients.openai.client import OpenAIClient
from ensemble_instruct.models.clients.openai.failures import meaning_of
from ensemble_instruct.models.clients.openai.messages import Hidden, _quoted, message_of
from ensemble_instruct.models.clients.openai.secrets import Secrets
from ensemble_instruct.records import Response
from tests.support.one_request import REQUEST, outcome
from tests.support.servers.reply import serving


@dataclass(frozen=True)
class Told:
    """An error, as one server words it."""

    server: str
    status: int
    body: Any
    """JSON, or a text as it is."""


def error(server: str, status: int, message: str, **more: Any) -> Told:
    return Told(server, status, {"error": {"message": message, **more}})


TOO_LONG = [
    error("OpenAI", 400, "This model's maximum context length is 8192 tokens. However, your messages have 9000.",
          param="messages", code="context_length_exceeded"),
    error("OpenAI later", 400, "Input tokens exceed the configured limit of 272000 tokens."),
    error("OpenAI by rate", 429, "Request too large for x on tokens per min (TPM): Limit 30000, Requested 40000. The "
          "input or output tokens must be reduced.", code="rate_limit_exceeded"),
    error("Azure", 400, "Please reduce the length of the messages.", code="string_above_max_length"),
    error("Anthropic", 400, "prompt is too long: 212345 tokens > 200000 maximum", type="invalid_request_error"),
    error("Anthropic with a limit", 400, "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
    Told("Gemini", 400, [{"error": {"code": 400, "message": "The input token count (1050000) exceeds the maximum "
                                    "number of tokens allowed (1048576).", "status": "INVALID_ARGUMENT"}}]),
    Told("Mistral", 400, {"object": "error", "message": "Prompt contains 40000 tokens, too large for model with 32768 "
                          "maximum context length", "type": "invalid_request_error"}),
    error("Groq", 413, "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 6500"),
    error("xAI", 400, "This model's maximum prompt length is 131072 but the request contains 140000 tokens."),
    error("Bedrock", 400, "Input is too long for requested model."),
    error("DashScope", 400, "Range of input length should be [1, 30720]", code="invalid_parameter_error"),
    error("Moonshot", 400, "Invalid request: Your request exceeded model token limit: 8192"),
    error("MiniMax", 400, "invalid params, context window exceeds limit (2013)"),
    error("Cohere", 400, "too many tokens: total number of tokens in the prompt cannot exceed 4081"),
    Told("vLLM of old", 400, {"object": "error", "message": "This model's maximum context length is 2048 tokens.",
                              "type": "BadRequestError", "code": 400}),
    error("vLLM of now", 400, "You passed 4097 input tokens. However, the model's context length is only 4096 tokens"),
    error("vLLM's check", 400, "The decoder prompt (length 5000) is longer than the maximum model length of 4096."),
    error("SGLang", 400, "The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
    error("SGLang's sum", 400, "Requested token count exceeds the model's maximum context length of 4096 tokens."),
    error("llama.cpp", 400, "the request exceeds the available context size", type="exceed_context_size_error"),
    error("llama.cpp of old", 500, "Context size has been exceeded."),
    error("Ollama", 400, "the input length exceeds the context length"),
    error("Ollama's prompt", 400, "prompt too long; exceeded max context length by 12 tokens"),
    Told("LM Studio", 400, {"error": "Trying to keep the first 900 tokens when context the overflows. However, the "
                            "model is loaded with context length of only 512 tokens"}),
    Told("TGI", 422, {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
                      "error_type": "validation"}),
    error("TensorRT-LLM", 400, "prompt length (5000) exceeds maximum input length (4096)"),
    error("TabbyAPI", 422, "Prompt length 5000 is greater than max_seq_len 4096"),
    error("llama-cpp-python", 400, "Requested tokens (916) exceed context window of 512"),
    error("Zhipu", 400, "请求输入过长", code="1261"),
    Told("proxy", 413, "<html><head><title>413 Request Entity Too Large</title></head></html>"),
    error("OpenRouter", 400, "Provider returned error", code=400, metadata={"raw": json.dumps(
        {"error": {"message": "prompt is too long: 212345 tokens > 200000 maximum"}})}),
    error("fit", 400, "The prompt doesn't fit into the window"), error("code", 400, "refused", code="input_too_long"),
    error("accepts", 400, "Your prompt has 9,001 tokens; this model accepts up to 8,192."),
    error("German", 400, "Die Eingabe ist zu lang"), error("shorter", 422, "Please shorten your message"),
]  # fmt: skip
FILTERED = [
    error("Azure", 400, "The response was filtered due to the prompt triggering content management policy.",
          code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
    error("OpenAI", 400, "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
          code="invalid_prompt"),
    error("OpenRouter", 403, "Your chosen model requires moderation and your input was flagged", code=403),
    error("DashScope", 400, "Input data may contain inappropriate content.", code="data_inspection_failed"),
    error("xAI", 403, "Content violates usage guidelines."),
    error("Groq", 400, "Blocked by the safety model"),
    Told("by law", 451, "Unavailable For Legal Reasons"),
]  # fmt: skip
QUOTAS = [
    error("OpenAI", 429, "You exceeded your current quota, please check your plan and billing details.",
          type="insufficient_quota", code="insufficient_quota"),
    error("OpenAI's limit", 400, "Billing hard limit has been reached", code="billing_hard_limit_reached"),
    error("Anthropic", 400, "Your credit balance is too low to access the API.", type="invalid_request_error"),
    error("DeepSeek", 402, "Insufficient Balance", code="invalid_request_error"),
    error("OpenRouter", 402, "This request requires more credits, or fewer max_tokens.", code=402),
    Told("Hugging Face", 402, {"error": "You have exceeded your monthly included credits for Inference Providers."}),
    error("LiteLLM", 400, "Budget has been exceeded! Current cost: 1.2, Max budget: 1.0", type="budget_exceeded"),
    error("one-api", 403, "user quota is not enough", code="insufficient_user_quota"),
    error("Moonshot", 429, "Your account is suspended, please check your plan and billing details",
          type="exceeded_current_quota_error"),
    error("Zhipu", 429, "余额不足或无可用资源包,请充值。", code="1113"),
    error("Fireworks", 412, "Account x is suspended, possibly due to reaching the monthly spending limit."),
    Told("xAI", 403, {"error": "Your newly created team doesn't have any credits yet. You can purchase credits."}),
    Told("Cohere", 429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}),
    Told("DashScope", 403, {"code": "AllocationQuota.FreeTierOnly", "message": "The free tier has been exhausted."}),
    error("new-api", 401, "该令牌额度已用尽"), error("nothing left", 429, "You have no credits left."),
]  # fmt: skip
RATES = [
    error("OpenAI", 429, "Rate limit reached for x on requests per min (RPM): Limit 3. Please try again in 20s. "
          "Visit the billing page to learn more.", code="rate_limit_exceeded"),
    Told("Gemini", 429, [{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan "
                                    "and billing details. Quota exceeded for metric: requests_per_model, limit: 10. "
                                    "Please retry in 34.07s.", "status": "RESOURCE_EXHAUSTED"}}]),
    error("Vertex", 429, "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model"),
    error("DashScope", 429, "Allocated quota exceeded, please increase your quota limit.", code="insufficient_quota"),
    error("OpenRouter", 429, "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 of them"),
    error("Azure", 429, "Your requests have exceeded the token rate limit. Please retry after 6 seconds.", code="429"),
    Told("plain", 429, "slow down"),
    error("Anthropic", 529, "Overloaded", type="overloaded_error"),
    error("vLLM", 503, "billing"),
]  # fmt: skip
NO_MODEL = [
    error("OpenAI", 404, "The model `gpt-9` does not exist or you do not have access to it.", code="model_not_found"),
    error("OpenAI's project", 403, "Project `p` does not have access to model `gpt-4o`", code="model_not_found"),
    error("Azure", 404, "The API deployment for this resource does not exist.", code="DeploymentNotFound"),
    error("Anthropic", 404, "model: claude-9", type="not_found_error"),
    Told("Gemini", 404, [{"error": {"code": 404, "message": "models/x is not found for API version v1main",
                                    "status": "NOT_FOUND"}}]),
    error("OpenRouter", 404, "No endpoints found for x/y.", code=404),
    error("OpenRouter's id", 400, "x is not a valid model ID", code=400),
    error("Ollama", 404, 'model "x" not found, try pulling it first'),
    error("LM Studio", 404, "No models loaded. Please load a model in the developer page."),
    Told("transformers", 404, {"detail": "Model x not found"}),
]  # fmt: skip
BAD = [
    error("OpenAI", 400, "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.",
          param="max_tokens"),
    error("Anthropic", 400, "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens"),
    error("Groq", 400, "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is "
          "less than the `context_window` for this model"),
    error("Gemini", 400, 'Invalid JSON payload received. Unknown name "safety_settings": Cannot find field.'),
    error("a setting", 400, "Invalid input: parameter temperature exceeds the maximum of 1"),
    error("a ceiling", 400, "max_tokens accepts values between 1 and 8192"),
    Told("plain", 400, "bad"),
]  # fmt: skip


def meaning(told: Told) -> str:
    body = told.body if isinstance(told.body, str) else json.dumps(told.body)
    return meaning_of(told.status, message_of(body.encode(), Hidden(Secrets(), REQUEST)))


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        *(("prompt_too_long", each) for each in TOO_LONG), *(("content_filter", each) for each in FILTERED),
        *(("quota", each) for each in QUOTAS), *(("transient", each) for each in RATES),
        *(("no_model", each) for each in NO_MODEL), *(("bad_request", each) for each in BAD),
    ],
    ids=lambda value: value.server if isinstance(value, Told) else value,
)  # fmt: skip
def test_each_servers_own_words_are_understood(expected: str, told: Told) -> None:
    assert meaning(told) == expected


@settings(deadline=None)
@given(st.text(min_size=12), st.integers(0, 8))
def test_a_prompt_is_hidden_in_whatever_way_it_is_quoted(prompt: str, number: int) -> None:
    quoted = sorted(_quoted(prompt), key=lambda form: (len(form), form))
    form = quoted[number % len(quoted)]
    shown = Hidden(Secrets(), replace(REQUEST, prompt=prompt)).out_of(f"<{form}>")
    assert form not in shown or form in "<(prompt)>"


def answer_of(told: Told) -> web.Response:
    if isinstance(told.body, str):
        return web.Response(status=told.status, text=told.body, content_type="text/html")
    return web.json_response(told.body, status=told.status)


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        (QUOTAS[0], QuotaError, "quota or the balance"), (RATES[0], TransientError, "Rate limit"),
        (NO_MODEL[0], UnknownModelError, "models.a.model"), (TOO_LONG[0], RequestRefusedError, "maximum context"),
        (error("x", 401, "no"), AuthenticationError, "OPENAI_API_KEY"),
        (error("x", 403, "Country not supported"), AuthenticationError, "Country not supported"),
        (error("x", 418, "teapot"), ModelError, "models.a.base_url"),
    ],
    ids=lambda value: value.server if isinstance(value, Told) else "",
)  # fmt: skip
def test_an_error_becomes_an_outcome_with_the_servers_words(told: Told, kind: type[Exception], words: str) -> None:
    found = outcome(lambda *_: answer_of(told))
    assert type(found) is kind
    assert words in str(found)
    assert "\n" not in str(found)


def test_what_is_short_for_a_moment_is_waited_for() -> None:
    body = {"error": {"message": "Too much is in flight for the credits that are left", "code": 402}}
    found = outcome(lambda *_: web.json_response(body, status=402, headers={"Retry-After": "7"}))
    assert isinstance(found, TransientError)
    assert found.retry_after == 7


def nowhere() -> web.Response:
    return web.json_response({"detail": "Not Found"}, status=404)


@pytest.mark.parametrize(
    ("status", "text"),
    [(404, "404 page not found"), (405, "Method Not Allowed"), (404, "<html><h1>No model of a page</h1></html>")],
)
@pytest.mark.parametrize("below", ["", "/v1/chat/completions", "/v1"])
def test_a_wrong_address_is_named_with_what_to_change(below: str, status: int, text: str) -> None:
    found = outcome(lambda *_: web.Response(status=status, text=text), models=nowhere(), below=below)
    assert type(found) is ModelError
    assert "models.a.base_url" in str(found)
    assert ("without /chat/completions" in str(found)) == ("chat" in below)


async def ended_by(handle: Callable[[web.BaseRequest], Awaitable[web.Response]], below: str = "") -> tuple[str, str]:
    """The address of a server, and the message of the error by which it ends a run that asks it below that address."""
    server = web.Server(handle)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    client = OpenAIClient("a", ModelSection(base_url=url + below, model="m", endpoint="chat"), None)
    found = (await asyncio.gather(client.answer(REQUEST), return_exceptions=True))[0]
    await client.close()
    listener.close()
    await server.shutdown(0)
    assert isinstance(found, ModelError)
    return url, str(found)


@pytest.mark.parametrize("below", ["", "/api"])
def test_an_address_beside_the_interface_is_told_the_one_that_is_there(below: str) -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        return web.json_response({"data": []}) if request.path == "/v1/models" else nowhere()

    url, message = asyncio.run(ended_by(handle, below))
    assert message.endswith(f"set models.a.base_url: {url}/v1")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>"),
        (400, "Client sent an HTTP request to an HTTPS server."),
        (403, "<!DOCTYPE html><html><title>Attention Required!</title></html>"),
    ],
)
def test_what_a_web_server_before_it_says_ends_the_run(status: int, text: str) -> None:
    found = outcome(lambda *_: web.Response(status=status, text=text))
    assert type(found) is ModelError
    assert "check models.a.base_url" in str(found)


def test_a_key_that_may_not_list_models_may_ask_one() -> None:
    models = web.json_response({"error": {"message": "Missing scopes: api.model.read"}}, status=403)

    async def ask() -> Response:
        client = OpenAIClient("a", ModelSection(base_url=served.base_url, model="m", endpoint="chat"), "sk-few-rights")
        try:
            await client.open()
            return await client.answer(REQUEST)
        finally:
            await client.close()

    with serving(lambda *_: chat("Paris.", "stop"), models) as served:
        assert asyncio.run(ask()).text == "Paris."


def test_a_server_without_this_endpoint_is_told_apart_from_a_wrong_address() -> None:
    found = outcome(lambda *_: nowhere(), endpoint="completions")
    assert "set models.a.endpoint: chat" in str(found)


def test_a_success_that_says_there_is_no_such_endpoint_ends_the_run() -> None:
    words = {"error": "Unexpected endpoint or method. (POST /chat/completions). Returning 200 anyway"}
    assert isinstance(outcome(lambda *_: web.json_response(words)), ModelError)


LOGIN = "<!DOCTYPE html><html><title>Sign in to Corp</title><form><input type='password'></form></html>"


def test_a_page_to_log_in_at_ends_the_run() -> None:
    found = outcome(lambda *_: web.Response(text=LOGIN, content_type="text/html"))
    assert type(found) is ModelError
    assert "Sign in to Corp" in str(found)


def test_a_page_where_the_interface_is_elsewhere_ends_the_run() -> None:
    async def handle(request: web.BaseRequest) -> web.Response:
        if request.path.startswith("/v1/"):
            return web.json_response({"data": []})
        return web.Response(text="<!doctype html><div id=app></div>", content_type="text/html")

    url, message = asyncio.run(ended_by(handle))
    assert message.endswith(f"set models.a.base_url: {url}/v1")


def test_another_page_is_tried_again_and_says_where_to_look() -> None:
    found = outcome(lambda *_: web.Response(text="<html><title>Welcome</title></html>", content_type="text/html"))
    assert isinstance(found, TransientError)
    assert "'Welcome'" in str(found)
    assert "models.a.base_url" in str(found)


ENDINGS = {
    "length": ("max_output_reached", "LENGTH_LIMIT_REACHED", "out_of_tokens", "contextFull", "cut_off",
               "max_tokens", "MAX_TOKENS", "model_length", "max_length", "max_output_tokens", "token_limit",
               "maxTokens", "max_new_tokens",
               "FINISH_REASON_MAX_TOKENS", "FinishReason.MAX_TOKENS", "model_context_window_exceeded"),
    "stop": ("STOP", "end_turn", "eos_token", "stop_sequence", "COMPLETE", None, ""),
    "content_filter": ("SAFETY", "RECITATION", "PROHIBITED_CONTENT", "content_filter: RECITATION", "refusal",
                       "sensitive",
                       "guardrail_intervened", "BLOCKLIST"),
    "malformed": ("error", "abort", "insufficient_system_resource", "network_error", "CANCELLED"),
}  # fmt: skip


def chat(content: str | None, finish_reason: object, **more: Any) -> web.Response:
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], **more})


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in ENDINGS.items() for name in names])
def test_each_servers_name_for_the_end_of_a_reply_is_known(kind: str, name: str | None) -> None:
    found = outcome(lambda *_: chat("half of it", name))
    if isinstance(found, Response):
        assert (found.text, found.finish_reason) == ("half of it", kind)
    else:
        assert (found.type if isinstance(found, RequestRefusedError) else getattr(found, "cause", "")) == kind


@pytest.mark.parametrize("name", ENDINGS["length"])
@pytest.mark.parametrize("content", ["", None])
def test_a_thought_that_was_cut_off_is_an_outcome_by_whatever_name(name: str, content: str | None) -> None:
    thought = {"reasoning_content": "hm " * 50}
    found = outcome(lambda *_: chat(content, name, usage={"completion_tokens": 64}, message=thought))
    assert isinstance(found, Response)
    assert (found.text, found.finish_reason) == ("", "length")


def test_the_call_of_a_tool_is_an_outcome_without_text() -> None:
    found = outcome(lambda *_: chat(None, "tool_calls", usage={"completion_tokens": 40}))
    assert isinstance(found, Response)
    assert (found.text, found.finish_reason) == ("", "tool_calls")


def test_a_thought_that_is_not_shown_and_ends_in_nothing_is_an_outcome() -> None:
    usage = {"completion_tokens": 64, "completion_tokens_details": {"reasoning_tokens": 63}}
    found = outcome(lambda *_: chat("", "stop", usage=usage))
    assert isinstance(found, Response)
    assert (found.text, found.reasoning_tokens) == ("", 63)


@pytest.mark.parametrize("choices", [[], None])
def test_a_prompt_that_was_blocked_is_a_refusal_though_nothing_is_called_an_error(choices: list[Any] | None) -> None:
    found = outcome(lambda *_: web.json_response({"choices": choices, "promptFeedback": {"blockReason": "SAFETY"}}))
    assert isinstance(found, RequestRefusedError)
    assert found.type == "content_filter"


def test_a_quota_that_is_told_with_a_success_ends_the_run() -> None:
    error = {"message": "user quota is not enough", "code": "insufficient_user_quota"}
    assert isinstance(outcome(lambda *_: web.json_response({"error": error})), QuotaError)


def test_a_web_page_for_any_path_is_no_interface() -> None:
    page = web.Response(text="<!doctype html><div id=app></div>", content_type="text/html")
    found = outcome(lambda *_: web.Response(status=405, text="Method Not Allowed"), models=page)
    assert "is there" not in str(found)
    assert "check models.a.base_url" in str(found)
