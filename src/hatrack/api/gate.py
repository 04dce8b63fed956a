"""Who may come in. Closed unless open: a route that nobody thought of asks for a key too (F32)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hatrack.api.context import Context, Trace
from hatrack.api.errors import Refusal, error_response, shutting_down
from hatrack.api.keys import Caller
from hatrack.api.web.files import FILES
from hatrack.core.errors import ConfigError

__all__ = ["OPEN_PATHS", "Gate", "is_loopback"]

OPEN_PATHS = frozenset({"/healthz", "/readyz", *FILES})
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


class Gate:
    """ASGI middleware, behind ``Journal``."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        trace: Trace = scope["hatrack"]
        try:
            trace.caller = self._admit(Headers(scope=scope))
            _scope_fits(trace.caller, scope["path"])
            if self._context.draining:
                raise shutting_down()
            if scope["method"] == "POST" and scope["path"].startswith(("/v1/", "/web/")):
                _charge(trace.caller)
        except (Refusal, ConfigError) as error:
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self, headers: Headers) -> Caller:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        caller = self._context.ring.caller(key.strip() if scheme.lower() == "bearer" and key else None)
        if caller is None:
            raise Refusal(
                401,
                "this server asks for a valid key" if key else "this server asks for a key",
                code="invalid_api_key",
                allowed="Authorization: Bearer KEY",
                fix="ask its owner, who makes one with `hatrack keys make NAME`",
            )
        host = headers.get("host", "")
        if self._context.loopback_only and not self._context.ring.required and not is_loopback(host):
            # A page in a browser of this machine may have had its own name resolved to 127.0.0.1.
            raise Refusal(
                403,
                "without keys this server answers this machine only",
                code="host_not_allowed",
                given=f"Host: {host[:100]}",
                allowed="localhost, 127.0.0.1",
                fix="make a key with `hatrack keys make NAME`",
            )
        return caller


def is_loopback(host: str) -> bool:
    """Whether a Host header, with or without its port, names this machine."""
    name = host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]
    return name.lower() in _THIS_MACHINE


def _scope_fits(caller: Caller, path: str) -> None:
    if path.startswith("/admin"):
        needed, fits = "admin", caller.may_administer
    elif path == "/metrics":
        needed, fits = "metrics or admin", caller.may_watch
    else:
        needed, fits = "use:NAME or use:*", caller.may_use_something
    if not fits:
        raise Refusal(
            403,
            "this key's scopes do not cover this route",
            code="scope_missing",
            given=", ".join(sorted(caller.scopes)) or "no scope",
            allowed=needed,
            fix="use another key",
        )


def _charge(caller: Caller) -> None:
    wait = caller.requests.take(1) if caller.requests else 0.0
    if caller.requests and wait:
        raise Refusal(
            429,
            "this key has used up its requests for now",
            code="rate_limit_exceeded",
            allowed=f"{caller.requests.capacity:g} requests a minute",
            fix=f"try again in {wait:.0f} s",
            retry_after=wait,
        )
