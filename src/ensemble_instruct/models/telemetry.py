"""OpenTelemetry spans and metrics of every try of a request, by the semantic conventions for generative AI.

They are sent when the standard environment of OpenTelemetry asks for them, and only then is it imported. What is
sent never holds the text of a prompt or of a reply, nor a key; and what goes wrong with sending never disturbs
the run.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from ensemble_instruct.errors import ConfigError
from ensemble_instruct.records import Request, Response
from ensemble_instruct.version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer

Signal = Literal["TRACES", "METRICS"]
Stop = Callable[[], object]
Attributes = dict[str, str | int | float | Sequence[str]]

log = logging.getLogger(__name__)

_NAME = "ensemble_instruct"
"""Of the instrumentation, in every span and metric."""
_SIGNALS: tuple[Signal, ...] = ("TRACES", "METRICS")
"""Both, as the names of the environment's variables have them."""
_EXPORTERS = {"otlp", "console"}
"""What may receive them."""
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
"""Bounds of the buckets of durations, as the conventions recommend them."""
_TOKENS = [4**power for power in range(14)]
"""Bounds of the buckets of tokens, as they recommend them."""
_CLOSE_WAIT = 10.0
"""Seconds for which the end of a run waits at most until everything is sent."""
_CLOSE_WAIT_AFTER_PROBLEMS = 2.0
"""Seconds at most where something did not get through before."""
_LONGEST = 200
"""Characters of a text in an attribute."""
_MAX_INT = 2**63 - 1
"""The greatest number that the protocol carries."""


def telemetry_from_environment() -> Telemetry | None:
    """What reports to the collector that the environment names, or None where it names none.

    A signal is asked for by `OTEL_EXPORTER_OTLP_ENDPOINT`, by the endpoint of its own
    (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `..._METRICS_ENDPOINT`), or by `OTEL_TRACES_EXPORTER` or
    `OTEL_METRICS_EXPORTER` (`otlp`, `console`; `none` turns it off); `OTEL_SDK_DISABLED=true` turns all off. A
    provider that the process already has as its global one is used as it is. Raises `ConfigError` when the
    packages of the extra `otel` are not installed or the settings cannot be followed.
    """
    signals = {signal: names for signal in _SIGNALS if (names := _exporters(signal))}
    if not signals or _setting("OTEL_SDK_DISABLED").lower() == "true":
        return None
    try:
        return _started(signals)
    except ImportError as error:
        raise ConfigError(
            "the environment asks for OpenTelemetry (OTEL_...), which is not installed; "
            "pip install 'ensemble-instruct[otel]', or set OTEL_SDK_DISABLED=true"
        ) from error
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"the environment asks for OpenTelemetry, but it cannot be set up: {' '.join(str(error).split())}; "
            "mend the OTEL_... variables, or set OTEL_SDK_DISABLED=true"
        ) from error


class Telemetry:
    """Makes a span and the metrics of each try of a request."""

    def __init__(
        self, tracer: Tracer, meter: Meter, stops: Sequence[Stop], problems: _Problems, until_closed: ExitStack
    ) -> None:
        self._tracer, self._stops, self._problems, self._until_closed = tracer, stops, problems, until_closed
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def tried(
        self,
        *,
        model: str,
        provider: str,
        operation: str,
        server: str,
        request: Request,
        began: float,
        seconds: float,
        response: Response | None,
        error: str | None,
    ) -> None:
        """Report one try that is over. It takes some microseconds; what it reports is sent by other threads.

        `operation` is `text_completion` or `chat`; `server` is the URL asked, or empty for a model in this
        process; `began` is the time of day in seconds; `error` is a short word for the cause, never a message.
        """
        from opentelemetry.trace import SpanKind, StatusCode

        place = _place(server)
        shared: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": _short(model),
            "ensemble_instruct.step": request.step,
            "ensemble_instruct.kind": request.kind,
            **place,
        }
        self._count_tokens(shared, response)
        if error is not None:
            shared["error.type"] = _short(error)
        self._duration.record(max(0.0, seconds), shared)
        span = self._tracer.start_span(
            f"{operation} {_short(model)}",
            kind=SpanKind.CLIENT if place else SpanKind.INTERNAL,
            attributes={**shared, **_of_request(request), **_of_response(response)},
            start_time=int(began * 1e9),
        )
        if error is not None:
            span.set_status(StatusCode.ERROR)
        span.end(int((began + max(0.0, seconds)) * 1e9))

    def close(self) -> None:
        """Send what is left and stop. It blocks: ten seconds at most, two when nothing gets through."""
        closing = threading.Thread(target=self._close, name="telemetry-close", daemon=True)
        closing.start()
        began = time.monotonic()
        while closing.is_alive():
            limit = _CLOSE_WAIT_AFTER_PROBLEMS if self._problems.causes else _CLOSE_WAIT
            if time.monotonic() - began >= limit:
                break
            closing.join(0.05)
        for cause, count in self._problems.causes.items():
            log.info("OpenTelemetry reported problems", extra={"cause": cause, "count": count})

    def _close(self) -> None:
        stops, self._stops = self._stops, ()
        threads = [threading.Thread(target=stop, daemon=True) for stop in stops]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._until_closed.close()

    def _count_tokens(self, shared: Attributes, response: Response | None) -> None:
        if response is None:
            return
        for kind, count in (("input", response.prompt_tokens), ("output", response.completion_tokens)):
            if count is not None:
                self._tokens.record(count, {**shared, "gen_ai.token.type": kind})


def _of_request(request: Request) -> Attributes:
    sampling = request.sampling
    attributes: Attributes = {
        "gen_ai.request.max_tokens": sampling.max_tokens,
        "gen_ai.request.temperature": float(sampling.temperature),
        "gen_ai.request.top_p": float(sampling.top_p),
    }
    if sampling.top_k is not None:
        attributes["gen_ai.request.top_k"] = float(sampling.top_k)
    if sampling.seed is not None and abs(sampling.seed) <= _MAX_INT:
        attributes["gen_ai.request.seed"] = sampling.seed
    for name in ("frequency_penalty", "presence_penalty"):
        if (penalty := getattr(sampling, name)) is not None:
            attributes[f"gen_ai.request.{name}"] = float(penalty)
    if sampling.stop:
        attributes["gen_ai.request.stop_sequences"] = [_short(text) for text in sampling.stop]
    return attributes


def _of_response(response: Response | None) -> Attributes:
    if response is None:
        return {}
    attributes: Attributes = {"gen_ai.response.finish_reasons": [_short(response.finish_reason)]}
    if response.prompt_tokens is not None:
        attributes["gen_ai.usage.input_tokens"] = response.prompt_tokens
    if response.completion_tokens is not None:
        attributes["gen_ai.usage.output_tokens"] = response.completion_tokens
    return attributes


def _short(text: str) -> str:
    """The text as the protocol can carry it: no halves of surrogate pairs, not endless."""
    return text[:_LONGEST].encode("utf-8", "replace").decode()


@lru_cache(maxsize=256)
def _place(server: str) -> Attributes:
    """Host and port of a URL, never its user, password, path or query."""
    try:
        parts = urlsplit(server)
        host, port = parts.hostname, parts.port
    except ValueError:
        return {}
    if not host:
        return {}
    return {"server.address": _short(host), "server.port": port or (443 if parts.scheme == "https" else 80)}


def _setting(name: str) -> str:
    return os.environ.get(name, "").strip()


def _exporters(signal: Signal) -> set[str]:
    chosen = _setting(f"OTEL_{signal}_EXPORTER")
    if not chosen:
        endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
        chosen = "otlp" if any(map(_setting, endpoints)) else "none"
    return {name.strip() for name in chosen.split(",")} - {"", "none"}


def _require_known(signal: Signal, names: set[str]) -> None:
    unknown = sorted(names - _EXPORTERS)
    if unknown:
        raise ConfigError(f"OTEL_{signal}_EXPORTER={unknown[0]} is not supported; use otlp, console or none")
    variables = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    variable = next(filter(_setting, variables), "")
    if variable and "otlp" in names and _setting(variable) != "http/protobuf":
        raise ConfigError(
            f"{variable}={_setting(variable)} is not supported; set it to http/protobuf, and the endpoint to where "
            "the collector takes that (most often port 4318)"
        )


def _started(signals: dict[Signal, set[str]]) -> Telemetry:
    from opentelemetry import metrics, trace

    stops: list[Stop] = []
    problems = _Problems()
    with ExitStack() as until_closed:
        meter: Meter = metrics.NoOpMeter(_NAME)
        tracer: Tracer = trace.NoOpTracer()
        if "TRACES" in signals:
            tracer = _tracer(signals["TRACES"], stops, until_closed, problems)
        if "METRICS" in signals:
            meter = _meter(signals["METRICS"], stops, until_closed, problems)
        kept = until_closed.pop_all()
    return Telemetry(tracer, meter, stops, problems, kept)


def _tracer(names: set[str], stops: list[Stop], until_closed: ExitStack, problems: _Problems) -> Tracer:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        _require_known("TRACES", names)
        until_closed.enter_context(problems.instead_of_messages())
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        for name in sorted(names):
            processor = _processor(name)
            stops.append(processor.shutdown)
            provider.add_span_processor(processor)
    return provider.get_tracer(_NAME, __version__)


def _meter(names: set[str], stops: list[Stop], until_closed: ExitStack, problems: _Problems) -> Meter:
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider

    provider = metrics.get_meter_provider()
    if not isinstance(provider, MeterProvider):
        _require_known("METRICS", names)
        until_closed.enter_context(problems.instead_of_messages())
        readers = [_reader(name) for name in sorted(names)]
        stops.extend(reader.shutdown for reader in readers)
        provider = MeterProvider(readers, _resource(), shutdown_on_exit=False)
    return provider.get_meter(_NAME, __version__)


def _processor(exporter: str) -> SpanProcessor:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    if exporter == "console":
        return BatchSpanProcessor(ConsoleSpanExporter(out=sys.stderr))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return BatchSpanProcessor(OTLPSpanExporter())


def _reader(exporter: str) -> MetricReader:
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

    if exporter == "console":
        return PeriodicExportingMetricReader(ConsoleMetricExporter(out=sys.stderr))
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return PeriodicExportingMetricReader(OTLPMetricExporter())


def _resource() -> Resource:
    """What the environment says of this process; without a service name there, the name of this program."""
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource

    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "ensemble-instruct", SERVICE_VERSION: __version__}))
    return resource


class _Problems(logging.Handler):
    """Counts what OpenTelemetry warns of, by cause; the first time, one warning of the package's own.

    Its own messages are not passed on: they may hold tracebacks, and the headers and addresses of the environment.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.causes: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        cause = _cause(record)
        self.causes[cause] += 1
        if self.causes.total() == 1:
            log.warning(
                "OpenTelemetry reports a problem (%s): spans and metrics may be lost; the run goes on",
                cause,
                extra={"cause": cause},
            )

    @contextmanager
    def instead_of_messages(self) -> Iterator[None]:
        """While the block runs, take the warnings of OpenTelemetry and of what it sends with."""
        loggers = [logging.getLogger(name) for name in ("opentelemetry", "urllib3")]
        before = [logger.propagate for logger in loggers]
        for logger in loggers:
            logger.addHandler(self)
            logger.propagate = False
        try:
            yield
        finally:
            for logger, propagate in zip(loggers, before, strict=True):
                logger.removeHandler(self)
                logger.propagate = propagate


def _cause(record: logging.LogRecord) -> str:
    """A word that is safe to print: the class of an exception, an HTTP status, or who reports."""
    arguments: tuple[Any, ...] = record.args if isinstance(record.args, tuple) else ()
    error = record.exc_info[1] if record.exc_info else None
    for value in (error, *arguments):
        if isinstance(value, BaseException):
            return type(value).__name__
    for value in arguments:
        if isinstance(value, int) and 100 <= value < 600:
            return f"HTTP {value}"
    return record.name
