"""Rows on their way from a file to training: raw, then mapped, then split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hatrack.core.chat import Message

__all__ = ["Example", "RawRow", "RowFault", "Splits", "beginning", "normalised"]

_KEPT = 240  # characters of a row that a fault keeps; fewer are shown, once personal data is masked in them

_GAPS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class RawRow:
    """One record of a file: its number from 1 and its columns."""

    number: int
    columns: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RowFault:
    """A row that cannot be used, and why. ``excerpt`` is the ``beginning`` of what stands there; it is masked before it is shown."""

    number: int
    reason: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to learn.

    Attributes:
        row: number of the row in its file, from 1.
        text: what is classified or continued, or the first user turn.
        label: the class; empty for the other tasks.
        messages: the conversation, for instruct; for prefer it ends with the better answer.
        group: rows of one group stay in one split.
        rejected: the worse answer, for prefer.
    """

    row: int
    id: str
    text: str
    label: str = ""
    messages: tuple[Message, ...] = ()
    group: str = ""
    rejected: str = ""

    def content(self) -> dict[str, Any]:
        """What counts for the digest of a data set: not where the row stood."""
        messages = [message.as_dict() for message in self.messages]
        pair = {"rejected": self.rejected} if self.rejected else {}
        return {"id": self.id, "text": self.text, "label": self.label, "messages": messages, **pair}


@dataclass(frozen=True, slots=True)
class Splits:
    """Examples in their three parts."""

    train: Sequence[Example]
    validation: Sequence[Example]
    test: Sequence[Example]

    def items(self) -> list[tuple[str, Sequence[Example]]]:
        """Name and rows of each part."""
        return [("train", self.train), ("validation", self.validation), ("test", self.test)]


def beginning(text: str) -> str:
    """The first characters of a row on one line, with … behind them where there are more."""
    line = " ".join(text[: _KEPT + 1].split())
    return line if len(text) <= _KEPT else f"{line[: _KEPT - 1]}…"


def normalised(text: str) -> str:
    """Text without case, punctuation and white space differences: equal here means the same text to a reader."""
    return _GAPS.sub(" ", text.casefold()).strip() or " ".join(text.split())
