"""OpenTelemetry spans, where that package is installed; nothing where it is not.

Which exporter they go to is set as everywhere, by ``OTEL_EXPORTER_OTLP_ENDPOINT`` and its kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

if TYPE_CHECKING:
    from hatrack.api.context import Trace

__all__ = ["Spans", "export_spans"]


class Spans:
    """One span for each request, as a child of the client's where it sent a ``traceparent``."""

    def __init__(self) -> None:
        try:
            from opentelemetry import propagate, trace
        except ImportError:
            self._tracer: Any = None
        else:
            self._extract = propagate.extract
            self._server = trace.SpanKind.SERVER
            self._tracer = trace.get_tracer("hatrack")

    @contextmanager
    def request(self, scope: Scope, headers: Mapping[str, str]) -> Iterator[Any]:
        """A span while a request is answered; None without the package."""
        if self._tracer is None:
            yield None
            return
        parent = self._extract(dict(headers))
        with self._tracer.start_as_current_span(f"{scope['method']}", context=parent, kind=self._server) as span:
            yield span
            span.update_name(f"{scope['method']} {getattr(scope.get('route'), 'path', 'none')}")

    def end(self, span: Any, trace: Trace) -> None:
        """Note how it ended, with the names of OpenTelemetry's conventions where it has one."""
        if span is None:
            return
        attributes = {
            "http.response.status_code": trace.status,
            "gen_ai.provider.name": "hatrack",
            "gen_ai.request.model": trace.adapter,
            "gen_ai.usage.input_tokens": trace.prompt_tokens,
            "gen_ai.usage.output_tokens": trace.completion_tokens,
            "hatrack.version": trace.version,
            "hatrack.digest": trace.digest,
            "hatrack.tenant": trace.caller.tenant,
            "hatrack.request_id": trace.request_id,
        }
        span.set_attributes({key: value for key, value in attributes.items() if value != ""})


def export_spans() -> bool:
    """Send spans to where the environment says, if it says so and the extra ``otel`` is installed."""
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return False
    from hatrack.core.extras import require

    reason = "exporting spans, as OTEL_EXPORTER_OTLP_ENDPOINT asks,"
    sdk = require("opentelemetry.sdk.trace", extra="otel", reason=reason)
    export = require("opentelemetry.sdk.trace.export", extra="otel", reason=reason)
    otlp = require("opentelemetry.exporter.otlp.proto.http.trace_exporter", extra="otel", reason=reason)
    resources = require("opentelemetry.sdk.resources", extra="otel", reason=reason)
    from opentelemetry import trace

    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "hatrack")}
    provider = sdk.TracerProvider(resource=resources.Resource.create(named))
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True
