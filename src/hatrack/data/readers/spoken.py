"""A turn of a conversation while its file is being read."""

from __future__ import annotations

from hatrack.data.readers.base import too_long
from hatrack.data.records import RawRow, RowFault

__all__ = ["Turn", "text_line"]


class Turn:
    """Who says what, from which line on; more than ``limit`` bytes are never held."""

    def __init__(self, number: int, conversation: str, speaker: str, time: str, limit: int) -> None:
        self.number = number
        self.speaker = speaker
        self._conversation = conversation
        self._time = time
        self._limit = limit
        self._bytes = 0
        self._parts: list[str] = []

    def say(self, text: str) -> None:
        """Go on."""
        self._bytes += len(text.encode("utf-8"))
        if text and self._bytes <= self._limit:
            self._parts.append(text)

    def row(self, between: str) -> RawRow | RowFault:
        """The whole turn, with ``between`` between its parts."""
        if self._bytes > self._limit:
            return too_long(self.number, self._limit)
        if not self._parts:
            return RowFault(self.number, f"{self.speaker!r} says nothing")
        text = between.join(self._parts)
        return RawRow(self.number, {"conversation": self._conversation, "speaker": self.speaker, "text": text, "time": self._time})


def text_line(line: bytes | None, number: int, limit: int) -> str | RowFault:
    """One line of a text file, decoded."""
    if line is None:
        return too_long(number, limit)
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        return RowFault(number, f"not UTF-8: byte 0x{line[error.start]:02x} at position {error.start}; save the file as UTF-8")
