"""What every finding is made of: a frozen record, the rows it rests on, and where a row stands."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Basis", "Place", "Record", "counted", "excerpt"]

_EXCERPT = 120  # characters of a row that are quoted


class Record(BaseModel):
    """A finding: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Basis(Record):
    """How many rows a figure rests on."""

    rows: int
    of: int

    @property
    def whole(self) -> bool:
        """Nothing was left out."""
        return self.rows == self.of

    def __str__(self) -> str:
        return f"on all {self.of:,} rows" if self.whole else f"on {self.rows:,} of {self.of:,} rows"


class Place(Record):
    """Where a row stands: its split, and its number in its file, from 1."""

    split: str
    row: int

    def __str__(self) -> str:
        return f"{self.split} row {self.row:,}"


def excerpt(text: str) -> str:
    """The beginning of a text on one line, to recognise a row by."""
    line = " ".join(text[: 4 * _EXCERPT].split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1].rstrip() + "…"


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
