"""What a model costs: as the config says, nothing where it runs here, as it was looked up, or unknown; never 0 then."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ensemble_instruct.config.servers.prices import KnownPrice, Price, is_here, known_price, response_cost
from ensemble_instruct.records import Response
from tests.support.forks import Forks
from tests.support.servers.model import model_config

HOSTED, OWN = "https://api.openai.com/v1", "http://gpu-7.example.org:8000/v1"


def of(price: Price, model: str = "org/model", *servers: str) -> tuple[float, ...] | None:
    known = known_price(price, model, servers)
    return None if known is None else (known.input, known.output, known.cached, known.reasoning)


def test_a_price_that_is_given_is_that_and_what_is_cached_or_thought_costs_the_same_unless_said() -> None:
    assert of(Price(input=2, output=8), "org/model", OWN) == (2, 8, 2, 8)
    assert of(Price(input=2, output=8, cached=0.5, reasoning=0), "org/model", OWN) == (2, 8, 0.5, 0)
    price = known_price(Price(input=2, output=8, cached=0.5, reasoning=1), "org/model", (OWN,))
    assert price is not None
    assert price.cost(1e6, 1e6) == 10
    assert price.cost(1e6, 1e6, 1e6, 5e5) == 0.5 + 4 + 0.5
    assert price.most(1e6, 1e6) == 10


def test_what_runs_in_this_process_costs_nothing_unless_it_is_given_a_price() -> None:
    assert of(Price()) == (0, 0, 0, 0)
    assert of(Price(input=3)) == (3, 0, 3, 0)


@pytest.mark.parametrize("server", [
    "http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:1/v1", "http://127.8.9.1/v1", "http://0.0.0.0:1/",
])  # fmt: skip
def test_a_server_on_this_machine_may_be_a_gateway(server: str) -> None:
    assert is_here(server)
    assert of(Price(), "org/model", server) is None
    assert of(Price(input=3), "org/model", server) == (3, 0, 3, 0)


@pytest.mark.parametrize("servers", [(OWN,), ("http://127.0.0.1/v1", OWN), ("http://127.0.0.1.example.org/v1",)])
def test_a_server_has_a_price_that_is_not_known(servers: tuple[str, ...]) -> None:
    assert of(Price(), "org/model", *servers) is None
    assert of(Price(input=1), "org/model", *servers) is None
    assert not all(map(is_here, servers))


def test_the_price_of_a_hosted_model_is_looked_up_by_its_address_and_name() -> None:
    pytest.importorskip("genai_prices", reason="the extra `prices` is not installed")
    found = known_price(Price(), "gpt-4o-mini", (HOSTED,))
    assert found is not None
    assert found.origin == "looked up"
    assert 0 < found.cached < found.input < found.output == found.reasoning
    assert known_price(Price(), "gpt-4o-mini", ("https://gateway.example.org/v1",)) == found, "only its maker runs it"
    assert of(Price(output=5), "gpt-4o-mini", HOSTED) == (found.input, 5, found.cached, found.reasoning)
    for model in ("no-such-model", "gpt-oss-20b", "meta-llama/llama-3.1-8b-instruct"):
        assert known_price(Price(), model, (OWN,)) is None, "somebody's own server"
    assert known_price(Price(), "no-such-model", (HOSTED,)) is None


def test_the_cost_that_a_server_states_goes_before_a_price() -> None:
    price = KnownPrice(input=1e6, output=1e6, cached=0, reasoning=0, origin="config")
    assert response_cost(price, Response("x", "stop", 1, 2, cost=0.25), "asked") == 0.25
    assert response_cost(None, Response("x", "stop", 1, 2, cost=0.25), "asked") == 0.25
    assert response_cost(price, Response("x", "stop", 1, 2), "asked") == 3
    assert response_cost(price, Response("x", "stop", 1, 2, cached_tokens=1, reasoning_tokens=2), "asked") == 0
    assert response_cost(None, Response("x", "stop", 1, 2), "asked") is None


def configured(folder: Path, model: str, base_url: str, price: str = "") -> list[str]:
    """The demo's config with a voter elsewhere, which is not asked."""
    here = re.sub(
        r"(?m)(model: (base|voter_b))", r"\1, price: {input: 0, output: 0}", model_config("http://127.0.0.1:9/v1")
    )
    config = re.sub(
        r"(?m)^( *careful:.*base_url: )[^,]+, model: voter_a", rf"\g<1>{base_url}, model: {model}{price}", here
    )
    assert config != here
    (folder / "config.yaml").write_text(config)
    return ["config.yaml"]


def test_a_plan_says_what_is_not_known_and_a_budget_cannot_be_held_for_it(forks: Forks, tmp_path: Path) -> None:
    config = configured(tmp_path, "org/model", OWN)
    done = forks.run(tmp_path, ["run", *config, "--out", "run", "--dry-run"])
    assert done.returncode == 0, done.stderr
    assert re.search(r"^outputs +output_only +careful .* unknown$", done.stdout, re.MULTILINE)
    assert re.search(r"^outputs +output_only +talkative .* 0\.00$", done.stdout, re.MULTILINE)
    assert re.search(r"^all .* unknown$", done.stdout, re.MULTILINE)
    assert "models.careful.price" in done.stderr
    told = forks.refused(tmp_path, "run", *config, "--out", "run", "--budget", "5")
    assert "the price of model careful is not known" in told
    assert "models.careful.price" in told
    gateway = configured(tmp_path, "org/model", "http://127.0.0.1:9/v1")
    assert "no model of the config has a price" in forks.refused(
        tmp_path, "run", *gateway, "--out", "run", "--budget", "5"
    )
    paid = ["run", *gateway, "--set", "models.base.price={input: 1, output: 1}", "--out", "run", "--budget", "5"]
    assert "no server at http://127.0.0.1:9/v1" in forks.run(tmp_path, paid).stderr, "it is taken for one's own"
    free = configured(tmp_path, "org/model", OWN, ", price: {input: 0, output: 0}")
    done = forks.run(tmp_path, ["run", *free, "--out", "run", "--dry-run"])
    assert "careful.price" not in done.stderr
    assert re.search(r"^all .* 0\.00$", done.stdout, re.MULTILINE)


def test_a_plan_says_which_price_was_looked_up(forks: Forks, tmp_path: Path) -> None:
    pytest.importorskip("genai_prices", reason="the extra `prices` is not installed")
    done = forks.run(tmp_path, ["run", *configured(tmp_path, "gpt-4o-mini", HOSTED), "--out", "run", "--dry-run"])
    assert done.returncode == 0, done.stderr
    looked_up = r"^price of model careful: [\d.]+ USD in, [\d.]+ out for 1M tokens \(looked up\)$"
    assert re.search(looked_up, done.stdout, re.MULTILINE)
    assert re.search(r"^all .* 0\.\d\d$", done.stdout, re.MULTILINE)
