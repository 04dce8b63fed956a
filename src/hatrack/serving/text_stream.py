"""Tokens to text as it grows: half a character and half a stop string are held back until they are decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["TextStream"]

_WINDOW = 6  # tokens before the new ones that are decoded with them, at least: spaces and joins depend on neighbours


class TextStream:
    """The text of one answer.

    Attributes:
        stopped: a stop string was met; what comes after it is not text of the answer.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stop: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stop = [word for word in stop if word]
        self._ids: list[int] = []
        self._start = self._read = 0  # decoded so far: ids[start:read] lies in ``_held`` or is out
        self._before = ""  # the text of these
        self._held = ""
        self.stopped = False

    def token(self, token: int) -> str:
        """One more token; returns the text that is certain now."""
        self._ids.append(token)
        now = self._decode(self._ids[self._start :])
        if now.endswith("\ufffd") or not now.startswith(self._before):
            return ""
        self._held += now[len(self._before) :]
        self._before, self._read = now, len(self._ids)
        if self._read - self._start > 4 * _WINDOW:  # seldom, since it takes one more decoding
            self._start = self._read - _WINDOW
            self._before = self._decode(self._ids[self._start :])
        return self._certain()

    def end(self) -> str:
        """What was held back, now that nothing follows."""
        if self.stopped:
            return ""
        self._held += self._decode(self._ids[self._start :])[len(self._before) :]
        text = self._certain()
        return text if self.stopped else text + self._held

    def _certain(self) -> str:
        met = [place for word in self._stop if (place := self._held.find(word)) >= 0]
        if met:
            self.stopped = True
            text, self._held = self._held[: min(met)], ""
            return text
        keep = max((n for word in self._stop for n in range(1, len(word)) if self._held.endswith(word[:n])), default=0)
        cut = len(self._held) - keep
        text, self._held = self._held[:cut], self._held[cut:]
        return text
