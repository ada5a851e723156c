"""The backends. A new one is a module here with one class, one line in the table below, and a row in the test of all.

    base        what every client promises: to answer a request, and nothing else
    permission  whose code a config may bring into this process
    scripted    replies from a Python function or a file: for tests and dry runs
    openai/     any server that speaks the OpenAI protocol
    local/      models that run in this process

A client knows no retries, no store, no limits: `Model` does that, once, for all of them. Public: `Client` (in `base`),
`make_clients`.
"""

from __future__ import annotations

from importlib import import_module

from ensemble_instruct.config.access import api_key
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.models.clients.base import Client
from ensemble_instruct.models.clients.permission import require_code_allowed

CLIENTS = {
    "openai": "ensemble_instruct.models.clients.openai.client:OpenAIClient",
    "ctranslate2": "ensemble_instruct.models.clients.local.ctranslate2:CTranslate2Client",
    "llamacpp": "ensemble_instruct.models.clients.local.llamacpp:LlamaCppClient",
    "transformers": "ensemble_instruct.models.clients.local.transformers:TransformersClient",
    "vllm": "ensemble_instruct.models.clients.local.vllm:VllmClient",
    "scripted": "ensemble_instruct.models.clients.scripted:ScriptedClient",
}
"""By provider, where its client is: as text, so that a backend's libraries are imported only when it is used."""


def make_client(name: str, section: ModelSection, api_key: str | None, *, allow_code: bool = False) -> Client:
    """The client for a model of the config; its module is imported only now.

    Raises `ConfigError` for a model that runs code of others where that is not allowed.
    """
    require_code_allowed({name: section}, allow_code=allow_code)
    module, _, attribute = CLIENTS[section.provider].partition(":")
    client: Client = getattr(import_module(module), attribute)(name, section, api_key)
    return client


def make_clients(name: str, section: ModelSection, *, allow_code: bool = False) -> list[tuple[str, Client]]:
    """A client for each address of a model of the config, under the name of its server.

    Raises `ConfigError` for a missing key or script, and for code of others that is not allowed.
    """
    key = api_key(name, section)
    if section.provider != "openai":
        return [(section.provider, make_client(name, section, key, allow_code=allow_code))]
    replicas = [section.model_copy(update={"base_url": url}) for url in section.base_urls]
    return [(replica.base_urls[0], make_client(name, replica, key)) for replica in replicas]
