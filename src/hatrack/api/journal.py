"""The outermost layer: an id for each request, one line of JSON about it, and never a bare failure.

The line names who asked what and how it ended. Prompts, answers, keys and query strings are in none of them.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hatrack.api.context import Context, Trace
from hatrack.api.errors import Refusal, error_response
from hatrack.api.spans import annotate

__all__ = ["CLIENT_GONE", "Journal", "write_json_logs"]

CLIENT_GONE = 499  # nginx's number for a client that did not wait
_GIVEN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_log = logging.getLogger("hatrack.requests")


class Journal:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        trace = Trace(given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex)
        scope["hatrack"] = trace
        started = False

        async def answered(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                trace.status = trace.status or message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = trace.request_id
            elif not message.get("more_body"):
                annotate(trace)  # the span ends with the last byte
            await send(message)

        begin = time.monotonic()
        try:
            await self._app(scope, receive, answered)
        except Exception:
            trace.status = 500
            if not started:
                fault = Refusal(500, "the server has a fault", code="server_fault", fix=f"tell its owner: {trace.request_id}")
                await error_response(fault)(scope, receive, answered)
            raise  # the server's log holds the traceback
        finally:
            self._context.meters.responded(_route(scope), trace.status)
            if self._context.settings.log:
                _log.info("request", extra={"fields": _fields(scope, trace, time.monotonic() - begin)})


def _fields(scope: Scope, trace: Trace, seconds: float) -> dict[str, Any]:
    known = {
        "request_id": trace.request_id,
        "method": scope["method"],
        "route": _route(scope),
        "status": trace.status,
        "seconds": round(seconds, 4),
        "key": trace.caller.name,
        "tenant": trace.caller.tenant,
        "adapter": trace.adapter,
        "version": trace.version,
        "prompt_tokens": trace.prompt_tokens,
        "completion_tokens": trace.completion_tokens,
        "first_token": None if trace.first_token is None else round(trace.first_token, 4),
    }
    return {key: value for key, value in known.items() if value not in ("", None)}


def _route(scope: Scope) -> str:
    """The route's pattern: what a client wrote into a path stays out of logs and of the names of metrics."""
    return str(getattr(scope.get("route"), "path", "none"))


class _JsonLines(logging.Formatter):
    """One record, one line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def write_json_logs() -> None:
    """Send the server's and uvicorn's records to stderr, a line of JSON each. For the process that serves, once."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    for name, level in (("hatrack", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
