"""OpenTelemetry: FastAPI makes a span of each request; here it learns whose weights answered, and where it is sent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hatrack.core.extras import require

if TYPE_CHECKING:
    from hatrack.api.context import Trace

__all__ = ["annotate", "export_spans"]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def annotate(trace: Trace) -> None:
    """Add to the span of this request what is known at its end, with the names of OpenTelemetry's conventions where they are."""
    from opentelemetry.trace import get_current_span

    span = get_current_span()
    if not span.is_recording():
        return
    attributes: dict[str, str | int] = {
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
    """Send spans to where the environment says; False where it says nothing.

    Raises:
        MissingExtra: the extra ``otel`` is not installed.
    """
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return False
    reason = f"{_ENDPOINTS[0]} is set, and sending spans there"
    sdk = require("opentelemetry.sdk.trace", extra="otel", reason=reason)
    export = require("opentelemetry.sdk.trace.export", extra="otel", reason=reason)
    otlp = require("opentelemetry.exporter.otlp.proto.http.trace_exporter", extra="otel", reason=reason)
    from opentelemetry import trace

    os.environ.setdefault("OTEL_SERVICE_NAME", "hatrack")
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True
