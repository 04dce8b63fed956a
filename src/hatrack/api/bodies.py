"""Request bodies: read whole before anybody works on them, within a size and a time."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hatrack.api.context import Context
from hatrack.api.errors import Refusal, error_response

__all__ = ["Bodies"]


class Bodies:
    """ASGI middleware, behind ``Gate``: who has no key sends nothing."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._limit = int(context.settings.body_mb * 1e6)
        self._seconds = context.settings.body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            declared = Headers(scope=scope).get("content-length", "0")
            if declared.isdecimal() and int(declared[:20]) > self._limit:
                raise self._too_large()
            async with asyncio.timeout(self._seconds):
                body = await self._read(receive)
        except Refusal as refusal:
            await error_response(refusal, {"Connection": "close"})(scope, receive, send)
            return
        except TimeoutError:
            late = Refusal(408, "the body did not arrive in time", code="timeout", allowed=f"{self._seconds:g} s", fix="send it again")
            await error_response(late, {"Connection": "close"})(scope, receive, send)
            return
        except ClientDisconnect:
            return

        told = False

        async def replay() -> Message:
            nonlocal told
            if told:
                return await receive()  # from now on only that the client is gone
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes:
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._limit:
                raise self._too_large()
            more = message.get("more_body", False)
        return b"".join(parts)

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            "the body is too large",
            code="body_too_large",
            allowed=f"{self._limit:,} bytes",
            fix="send less, or raise serve.http.body_mb",
        )
