"""HTTP to a server of models: JSON in, JSON or server-sent events out, and its faults as ours."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hatrack.core.errors import Busy, EngineError, HatrackError, RequestError
from hatrack.core.extras import require

__all__ = ["ServerAway", "ServerFailed", "ServerLostAdapter", "Wire"]


class ServerAway(EngineError):
    """The server does not answer, or breaks off."""


class ServerLostAdapter(EngineError):
    """The server does not know a name that it was given before: it was started anew."""


class ServerFailed(EngineError):
    """The server is there, and failed at what it was asked."""


class Wire:
    """A client of one server. Thread-safe."""

    def __init__(self, name: str, url: str, *, extra: str, timeout: float, key: str = "", connections: int = 1024) -> None:
        """``name`` is for messages; ``timeout`` in seconds of silence.

        Raises:
            MissingExtra: httpx is not installed.
        """
        self._httpx: Any = require("httpx", extra=extra, reason=f"the engine {name}")
        self._name, self._url = name, url
        self._client = self._httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=self._httpx.Timeout(timeout, connect=5.0),
            limits=self._httpx.Limits(max_connections=connections, max_keepalive_connections=64),
        )

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    def get(self, path: str, timeout: float | None = None) -> Any:
        """The JSON at a path, or the text where it is none; ``timeout`` in seconds, where it is another one.

        Raises:
            HatrackError: see ``post``.
        """
        with self._reaching():
            response = self._client.get(path, timeout=timeout) if timeout else self._client.get(path)
        return self._content(response)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask, and return the JSON that comes back; text where it is none.

        Raises:
            EngineError: the server is away, refuses us, or fails. RequestError: it refuses the request. Busy: not now.
        """
        with self._reaching():
            response = self._client.post(path, json=body)
        return self._content(response)

    def events(self, path: str, body: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """Ask for a stream, and yield each event's JSON. Closing the iterator closes the connection, which ends the work there.

        Raises:
            HatrackError: see ``post``.
        """
        with self._reaching(), self._client.stream("POST", path, json=body) as response:
            if response.status_code != 200:
                response.read()
                self._content(response)
            for line in response.iter_lines():
                text = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                if text == "[DONE]":
                    return
                if not text:
                    continue
                event = self._parsed(text)
                if "error" in event:
                    error = event["error"]
                    raise self._refused(int(error.get("code") or 500) if isinstance(error, dict) else 500, _message(event), {})
                yield event

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except self._httpx.HTTPError as error:
            raise ServerAway(
                f"the {self._name} server does not answer",
                given=f"{self._url}: {error or type(error).__name__}",
                fix=f"start it, or correct serve.{self._name} in hatrack.yaml",
            ) from error

    def _content(self, response: Any) -> Any:
        if response.status_code == 200:
            return self._parsed(response.text) if "json" in response.headers.get("content-type", "") else response.text
        raise self._refused(response.status_code, _message(response.text), response.headers)

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise EngineError(f"the {self._name} server sends something that is no JSON", given=text[:200]) from error

    def _refused(self, status: int, message: str, headers: Mapping[str, str]) -> HatrackError:
        given = f"{status}: {message}"[:500]
        if status in (429, 503):
            wait = headers.get("retry-after", "")
            seconds = float(wait) if wait.isdigit() else 1.0
            return Busy(f"the {self._name} server is busy", given=given, fix=f"try again in {seconds:.0f} s", retry_after=seconds)
        if status in (401, 403):
            return EngineError(
                f"the {self._name} server wants another key",
                given=given,
                fix=f"set it in the environment variable that serve.{self._name}.key_env names",
            )
        if status == 404:
            return ServerLostAdapter(f"the {self._name} server does not know what it is asked for", given=given, allowed=self._url)
        if 400 <= status < 500:
            return RequestError(f"the {self._name} server refuses the request", given=given, allowed="what that server was started for")
        return ServerFailed(f"the {self._name} server failed", given=given, fix="look at its log")


def _message(content: str | dict[str, Any]) -> str:
    """What a server says of an error, whatever its dialect."""
    found: Any = content
    if isinstance(content, str):
        try:
            found = json.loads(content)
        except ValueError:
            return content
    while isinstance(found, dict):
        found = found.get("error", found.get("message", found.get("detail", str(found))))
    return str(found)
