"""HTTP to one hosted model: one request, one answer, and every way it can fail as ours. Asking again is ``metered``'s work.

The key is read from the environment when the wire is made, goes into the header of requests to this one address, and is
cut out of everything the other side says: some quote it. Redirects are not followed: what was shown is where it goes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

from hatrack.core.config_provider import host_of
from hatrack.core.errors import ProviderError
from hatrack.core.extras import require
from hatrack.models.backends import faults
from hatrack.models.backends.endpoint import read_key

__all__ = ["HostedWire"]

_CONNECT = 10.0  # seconds until somebody must have picked up
_KEY = (401, 403)
_PASSES = (408, 409, 429)  # statuses below 500 that are worth another try


class HostedWire:
    """A client for one address. Thread-safe.

    Args:
        protocol: whose it is, for messages: ``OpenAI``.
        headers: what goes with every request, from the key.
        timeout: seconds that may pass in silence.

    Raises:
        ConfigError: there is no key. MissingExtra: httpx is not installed.
    """

    def __init__(
        self, protocol: str, base_url: str, api_key_env: str, headers: Callable[[str], Mapping[str, str]], timeout: float, doing: str
    ) -> None:
        self.host = host_of(base_url)
        self._key, self._variable = read_key(api_key_env), api_key_env
        self._protocol, self._url, self._doing = protocol, base_url, doing
        self._httpx: Any = require("httpx", extra="hosted", reason="a hosted model")
        self._client = self._httpx.Client(
            headers=headers(self._key), timeout=self._httpx.Timeout(timeout, connect=min(_CONNECT, timeout)), follow_redirects=False
        )

    def ask(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that comes back.

        Raises:
            ProviderError: it refuses, or answers no JSON. ProviderUnreachable: it does not answer, or not now.
        """
        with self._reaching():
            response = self._client.post(self._url + path, json=body)
        self._check(response)
        return self._parsed(response.text)

    def stream(self, path: str, body: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """The JSON of each event, as it comes. Closing the iterator closes the connection.

        Raises:
            ProviderError, ProviderUnreachable: as ``ask``; also in the middle.
        """
        with self._reaching(), self._client.stream("POST", self._url + path, json=body) as response:
            if response.status_code != 200:
                response.read()
            self._check(response)
            for line in response.iter_lines():
                text = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                if text == "[DONE]":
                    return
                if text:
                    yield self._event(text)

    @contextmanager
    def understanding(self) -> Iterator[None]:
        """Reading an answer: what is not where the protocol says becomes a ProviderError."""
        try:
            yield
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise self.misspoke(f"{type(error).__name__}: {error}") from None

    def misspoke(self, given: str) -> ProviderError:
        """The error for an answer that the protocol does not know."""
        return faults.misspoke(self.host, self._protocol, self._doing, self._hidden(given))

    def _event(self, text: str) -> dict[str, Any]:
        event = self._parsed(text)
        if not isinstance(event, dict):
            raise self.misspoke(text)
        if event.get("error"):  # all three protocols tell faults of a stream like this
            raise faults.failed(self.host, self._doing, self._hidden(_message(event)), billed=True)
        return event

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        httpx = self._httpx
        try:
            yield
        except httpx.HTTPError as error:
            sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol)
            reason = self._hidden(str(error) or type(error).__name__)
            raise faults.silent(self.host, self._doing, reason, billed=sent) from None

    def _check(self, response: Any) -> None:
        status = response.status_code
        if status == 200:
            return
        content = _content(response.text)
        said = self._hidden(f"HTTP {status}: {_message(content)}")
        wait = _seconds(response.headers)
        if status in _KEY:
            raise faults.key_refused(self.host, self._variable, said)
        if status >= 500:
            raise faults.failed(self.host, self._doing, said, wait)
        if status in _PASSES and _code(content) != "insufficient_quota":  # of that, waiting makes no more
            raise faults.no_time(self.host, self._doing, said, wait)
        error = faults.refused(self.host, self._doing, said)
        error.param = _error(content).get("param")
        raise error

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise self.misspoke(text) from None

    def _hidden(self, text: str) -> str:
        return " ".join(text.replace(self._key, "***").split())[: faults.SHOWN]


def _content(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _error(content: Any) -> dict[str, Any]:
    """The object that holds the error: under ``error``, or the whole."""
    if not isinstance(content, dict):
        return {}
    inner = content.get("error")
    return inner if isinstance(inner, dict) else content


def _code(content: Any) -> Any:
    return _error(content).get("code")


def _message(content: Any) -> str:
    """What is said of an error, in any of the shapes in use; a list of faults of a body as it is."""
    found = _error(content)
    told = found.get("message") or found.get("detail") or found.get("error")
    return told if isinstance(told, str) else json.dumps(told if told else content)


def _seconds(headers: Mapping[str, str]) -> float | None:
    """``Retry-After``: seconds, or a date."""
    told = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
