"""A collector of OpenTelemetry on loopback, and what was sent to it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


@dataclass
class Collector:
    """What was posted to it, by path; `status` is its answer."""

    url: str = ""
    status: int = 200
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)

    def resource_spans(self) -> list[ResourceSpans]:
        received = [ExportTraceServiceRequest.FromString(body) for path, body in self.bodies if path == "/v1/traces"]
        return [spans for request in received for spans in request.resource_spans]

    def spans(self) -> list[Span]:
        """The spans in the order sent."""
        return [span for spans in self.resource_spans() for scope in spans.scope_spans for span in scope.spans]

    def services(self) -> set[str]:
        """The names of the senders."""
        return {plain(spans.resource.attributes)["service.name"] for spans in self.resource_spans()}

    def metrics(self) -> dict[str, Metric]:
        """The last state of each metric by name."""
        received = [ExportMetricsServiceRequest.FromString(body) for path, body in self.bodies if path == "/v1/metrics"]
        scopes = [scope for request in received for place in request.resource_metrics for scope in place.scope_metrics]
        return {metric.name: metric for scope in scopes for metric in scope.metrics}


@contextmanager
def collecting(status: int = 200) -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector(status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            collector.authorizations.add(self.headers["Authorization"])
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing to stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def plain(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes as a dictionary."""

    def value(held: AnyValue) -> Any:
        name = held.WhichOneof("value") or ""
        return list(map(value, held.array_value.values)) if name == "array_value" else getattr(held, name)

    return {pair.key: value(pair.value) for pair in attributes}
