"""What a collector gets from the tries of a run: the names of the conventions, and never a text or a key."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import metrics as metrics_api
from opentelemetry import trace as trace_api
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ensemble_instruct.errors import ConfigError
from ensemble_instruct.models.telemetry import Telemetry, telemetry_from_environment
from ensemble_instruct.records import Request, Response, Sampling
from tests.conftest import ROOT
from tests.support.processes import PATIENCE
from tests.support.servers.collector import Collector, collecting, plain

PROMPT, REPLY, KEY = "the secret prompt of this test", "the secret reply of this test", "sk-Zq81-never-to-be-seen"
SERVER = "http://me:pass-w0rd@models.example:8000/v1?token=hidden-t0ken"
BEGAN = 1_700_000_000.25
SAMPLING = Sampling(max_tokens=256, temperature=0.7, top_k=50, top_p=0.9, stop=("|EoS|", "\n\n"), seed=42)

SHARED = {
    "gen_ai.operation.name": "text_completion",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "org/model-7b",
    "server.address": "models.example",
    "server.port": 8000,
    "ensemble_instruct.step": "outputs",
    "ensemble_instruct.kind": "input_output",
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of the caller's environment; and the loggers are afterwards as they were."""
    for name in [name for name in os.environ if name.startswith("OTEL_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    yield
    logger = logging.getLogger("opentelemetry")
    assert (logger.propagate, logger.handlers) == (True, [])


def tried(telemetry: Telemetry, *, error: str | None = None, **settings: Any) -> None:
    given: dict[str, Any] = {
        "model": "org/model-7b", "provider": "openai", "operation": "text_completion", "server": SERVER,
        "request": Request(
            prompt=PROMPT, sampling=SAMPLING, step="outputs", kind="input_output", shared=PROMPT
        ),
        "error": error, "response": None if error else Response(REPLY, "length", 11, 22),
        "began": BEGAN, "seconds": 0.5,
    }  # fmt: skip
    telemetry.tried(**(given | settings))


def opened(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Telemetry:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    telemetry = telemetry_from_environment()
    assert telemetry is not None
    return telemetry


def report(monkeypatch: pytest.MonkeyPatch, *tries: dict[str, Any], **environment: str) -> None:
    telemetry = opened(monkeypatch, **environment)
    for settings in tries:
        tried(telemetry, **settings)
    telemetry.close()


def child(code: str, **environment: str) -> str:
    """What a program in a process of its own prints; its stderr must stay empty."""
    command, folder = [sys.executable, "-W", "error", "-c", code], ROOT
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_response_is_a_span_with_the_names_of_the_conventions(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(monkeypatch, {}, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    (span,) = collector.spans()
    assert span.name == "text_completion org/model-7b"
    assert (span.kind, span.status.code) == (Span.SPAN_KIND_CLIENT, Status.STATUS_CODE_UNSET)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (int(BEGAN * 1e9), int((BEGAN + 0.5) * 1e9))
    assert plain(span.attributes) == {
        **SHARED,
        "gen_ai.request.max_tokens": 256,
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.top_k": 50.0,
        "gen_ai.request.seed": 42,
        "gen_ai.request.stop_sequences": ["|EoS|", "\n\n"],
        "gen_ai.response.finish_reasons": ["length"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 22,
    }
    assert collector.services() == {"ensemble-instruct"}


def test_a_failed_try_is_a_span_in_error(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"error": "429", "operation": "chat", "server": "https://models.example/v1"}
    report(monkeypatch, failed, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="mine")
    (span,) = collector.spans()
    attributes = plain(span.attributes)
    assert (span.name, span.status.code) == ("chat org/model-7b", Status.STATUS_CODE_ERROR)
    assert (attributes["error.type"], attributes["server.port"]) == ("429", 443)
    assert not {name for name in attributes if name.startswith(("gen_ai.response", "gen_ai.usage"))}
    (point,) = collector.metrics()["gen_ai.client.operation.duration"].histogram.data_points
    assert plain(point.attributes)["error.type"] == "429"
    assert "gen_ai.client.token.usage" not in collector.metrics()
    assert collector.services() == {"mine"}


def test_the_metrics_are_histograms_with_the_recommended_bounds(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(monkeypatch, {}, {"seconds": 0.015}, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    duration, tokens = (collector.metrics()[f"gen_ai.client.{name}"] for name in ("operation.duration", "token.usage"))
    assert (duration.unit, tokens.unit) == ("s", "{token}")
    (point,) = duration.histogram.data_points
    assert plain(point.attributes) == SHARED
    assert (point.count, point.sum) == (2, pytest.approx(0.515))
    assert list(point.explicit_bounds) == [0.01 * 2**power for power in range(14)]
    points: dict[str, HistogramDataPoint] = {
        plain(point.attributes)["gen_ai.token.type"]: point for point in tokens.histogram.data_points
    }
    assert plain(points["input"].attributes) == {**SHARED, "gen_ai.token.type": "input"}
    assert {kind: (point.count, point.sum) for kind, point in points.items()} == {"input": (2, 22), "output": (2, 44)}
    assert list(points["input"].explicit_bounds) == [4**power for power in range(14)]


def test_nothing_that_is_sent_holds_a_text_or_a_secret(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    report(monkeypatch, {}, {"error": "timeout"}, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert {path for path, _ in collector.bodies} == {"/v1/traces", "/v1/metrics"}
    everything = b"".join(body for _, body in collector.bodies)
    assert b"org/model-7b" in everything
    for secret in (PROMPT, REPLY, KEY, "pass-w0rd", "hidden-t0ken"):
        assert secret.encode() not in everything


def test_unknown_counts_odd_texts_and_odd_servers_do_no_harm(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = Sampling(max_tokens=1, stop=("\ud800",), seed=2**70)
    request = Request(prompt=PROMPT, sampling=odd, step="instructions", kind="output_only")
    report(
        monkeypatch,
        {"response": Response(REPLY, "\udfff\x00"), "request": request, "model": "m\ud800", "server": ""},
        {"server": "http://models.example:not-a-port/v1", "response": None},
        {"server": "http://[::1]:99/v1", "seconds": -1.0},
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    first, second, third = (plain(span.attributes) for span in collector.spans())
    assert collector.spans()[0].kind == Span.SPAN_KIND_INTERNAL
    assert first["gen_ai.request.model"] == "m?"
    assert first["gen_ai.request.stop_sequences"] == ["?"]
    assert first["gen_ai.response.finish_reasons"] == ["?\x00"]
    absent = {"gen_ai.request.seed", "gen_ai.request.top_k", "gen_ai.usage.input_tokens", "server.address"}
    assert not absent & first.keys()
    assert "server.address" not in second
    assert (third["server.address"], third["server.port"]) == ("::1", 99)


@pytest.mark.parametrize(
    ("environment", "paths"),
    [
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "{url}/own/traces"}, {"/own/traces"}),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "{url}/own/metrics"}, {"/own/metrics"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "{url}", "OTEL_TRACES_EXPORTER": "none"}, {"/v1/metrics"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "{url}/base/", "OTEL_METRICS_EXPORTER": "none"}, {"/base/v1/traces"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "{url}", "OTEL_TRACES_SAMPLER": "always_off"}, {"/v1/metrics"}),
    ],
)
def test_the_environment_says_what_is_sent_and_where(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], paths: set[str]
) -> None:
    given = {name: value.format(url=collector.url) for name, value in environment.items()}
    report(monkeypatch, {}, OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{KEY}", **given)
    assert {path for path, _ in collector.bodies} == paths
    assert collector.authorizations == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {"OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_SERVICE_NAME": "x"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "True"},
    ],
)
def test_without_being_asked_for_nothing_of_it_is_imported(environment: dict[str, str]) -> None:
    code = (
        "import sys; from ensemble_instruct.models.telemetry import telemetry_from_environment as found; "
        "print(found(), [name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    assert child(code, **environment) == "None []\n"


def test_missing_packages_are_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"pip install 'ensemble-instruct\[otel\]'") as caught:
        opened(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER=zipkin"),
        ({"OTEL_METRICS_EXPORTER": "otlp,prometheus"}, "OTEL_METRICS_EXPORTER=prometheus"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "OTEL_"),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "0"}, "interval value 0"),
    ],
)
def test_settings_that_cannot_be_followed_are_one_line(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        opened(monkeypatch, **environment)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.slow
def test_a_collector_that_is_not_there_disturbs_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with collecting() as gone:
        url = gone.url.replace("http://", f"http://me:{KEY}@")
    began = time.monotonic()
    settings = {"OTEL_EXPORTER_OTLP_TIMEOUT": "1", "OTEL_BSP_MAX_QUEUE_SIZE": "600"}
    report(monkeypatch, *[{}] * 2000, OTEL_EXPORTER_OTLP_ENDPOINT=url, **settings)
    while not logging.getLogger("opentelemetry").propagate:
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.05)
    assert capfd.readouterr() == ("", "")
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, caplog.text
    assert "the run goes on" in warnings[0]
    assert not [secret for secret in (KEY, "Traceback") if secret in caplog.text]


@pytest.mark.parametrize("status", [400, 401])
def test_a_collector_that_refuses_is_told_of_once_with_a_count_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.INFO)
    with collecting(status) as collector:
        report(monkeypatch, {}, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    first, last = caplog.records
    assert f"HTTP {status}" in first.getMessage()
    assert {"cause": f"HTTP {status}", "count": 2}.items() <= vars(last).items()


def test_a_header_that_cannot_be_read_is_not_repeated(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    report(
        monkeypatch, {}, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_EXPORTER_OTLP_HEADERS=f"no equals sign {KEY}"
    )
    assert (len(collector.spans()), len(caplog.records)) == (1, 1)
    assert KEY not in caplog.text


def test_the_console_exporter_writes_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report(monkeypatch, {}, OTEL_TRACES_EXPORTER="console", OTEL_METRICS_EXPORTER="console")
    shown = capsys.readouterr()
    assert (shown.out, PROMPT in shown.err) == ("", False)
    assert "text_completion org/model-7b" in shown.err
    assert "gen_ai.client.token.usage" in shown.err


@pytest.mark.slow
def test_a_provider_that_is_already_global_is_used_and_left_running() -> None:
    code = """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from ensemble_instruct.models.telemetry import telemetry_from_environment
from tests.models.test_telemetry import tried

exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
telemetry = telemetry_from_environment()
tried(telemetry)
telemetry.close()
tried(telemetry)
telemetry.close()
names = [metric.name for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics]
print([span.name for span in exporter.get_finished_spans()], sorted(names))
"""
    # the protocol is that provider's own matter
    said = child(code, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    span, metrics = "text_completion org/model-7b", ["gen_ai.client.operation.duration", "gen_ai.client.token.usage"]
    assert said == f"{[span] * 2} {metrics}\n"


def test_a_second_use_works_and_the_global_providers_are_not_touched(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trace_api.get_tracer_provider(), metrics_api.get_meter_provider()
    for _ in range(2):
        report(monkeypatch, {}, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert (trace_api.get_tracer_provider(), metrics_api.get_meter_provider()) == before
    assert len(collector.spans()) == 2
