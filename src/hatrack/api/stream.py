"""Server-sent events that notice when nobody reads them any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hatrack.api.answers import Answers, disconnected
from hatrack.api.errors import error_object
from hatrack.api.journal import CLIENT_GONE
from hatrack.core.errors import HatrackError
from hatrack.serving.request import Finished, Piece

__all__ = ["KEEP_ALIVE", "EventStream", "frame", "heard"]

KEEP_ALIVE = 15.0  # seconds of silence after which a comment keeps proxies from closing the connection
_COMMENT = b": waiting\n\n"


def frame(data: Mapping[str, Any] | str, event: str = "") -> bytes:
    """One event on the wire."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


async def heard(answers: Answers, failed: Callable[[dict[str, Any]], bytes]) -> AsyncIterator[tuple[int, Piece | Finished] | bytes]:
    """Events of the answers; as bytes to send as they are: comments in the silence, and the end of a stream that fails."""
    try:
        async for event in answers.events(KEEP_ALIVE):
            yield _COMMENT if event is None else event
    except HatrackError as error:
        yield failed(error_object(error))


class EventStream(Response):
    """Sends ``frames`` until they end, the client goes, or does not read for ``send_seconds``; then closes ``answers``."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None], answers: Answers, headers: Mapping[str, str], send_seconds: float) -> None:
        super().__init__(headers={**headers, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._frames = frames
        self._answers = answers
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(disconnected(receive))
        sent = asyncio.ensure_future(self._send(send))
        try:
            await asyncio.wait((sent, gone), return_when=asyncio.FIRST_COMPLETED)
            if sent.done():
                sent.result()
            else:
                scope["hatrack"].status = CLIENT_GONE
        except TimeoutError:  # without its end, uvicorn closes the connection
            scope["hatrack"].status = CLIENT_GONE
        finally:
            self._answers.close()
            for task in (sent, gone):
                task.cancel()
            await asyncio.gather(sent, gone, return_exceptions=True)
            await self._frames.aclose()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for part in self._frames:
            async with asyncio.timeout(self._send_seconds):
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
