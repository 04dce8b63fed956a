"""What each key has asked since the studio's server began: counted from the server's log, which has a line for each request.

The quota itself lives in the server's memory as what is left; the log is what of it leaves the process.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Usage", "Used"]

_MINUTE = 60.0
_REFUSED = 429  # over the quota: took nothing out of it


@dataclass(frozen=True)
class Used:
    """Requests and tokens of one key: in all, and in the last minute, which is what its limits are about."""

    requests: int = 0
    tokens: int = 0
    lately_requests: int = 0
    lately_tokens: int = 0


@dataclass
class _Count:
    requests: int = 0
    tokens: int = 0
    lately: deque[tuple[float, int]] = field(default_factory=deque)


class Usage:
    """Counts by the names of keys. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, _Count] = {}

    def hear(self, line: str) -> None:
        """A line that the server wrote; whatever is no request with a key is passed over."""
        if not line.startswith("{"):
            return
        try:
            found = json.loads(line)
        except ValueError:
            return
        name = found.get("key")
        if found.get("event") != "request" or not isinstance(name, str) or found.get("status") == _REFUSED:
            return
        tokens = int(found.get("prompt_tokens") or 0) + int(found.get("completion_tokens") or 0)
        with self._lock:
            count = self._counts.setdefault(name, _Count())
            count.requests += 1
            count.tokens += tokens
            count.lately.append((self._clock(), tokens))
            self._forget(count)

    def of(self, name: str) -> Used:
        """What the key of this name has used."""
        with self._lock:
            count = self._counts.get(name)
            if count is None:
                return Used()
            self._forget(count)
            return Used(count.requests, count.tokens, len(count.lately), sum(tokens for _, tokens in count.lately))

    def _forget(self, count: _Count) -> None:
        while count.lately and self._clock() - count.lately[0][0] > _MINUTE:
            count.lately.popleft()
