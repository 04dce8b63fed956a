"""The thin edges of the data: slices by length with few rows, texts with nothing in them, texts of extreme length."""

from __future__ import annotations

import math
from array import array

from pydantic import Field

from hatrack.data.quality.record import Place, Record
from hatrack.data.quality.walk import Ledger
from hatrack.data.records import Example

__all__ = ["EXTREME_FENCE", "Edges", "Extreme", "LengthFinder", "Slice"]

_SHORT = 3  # letters and digits; what is shorter says nothing
_SHOWN = 10
_SLICES = (("1 to 5 words", 5), ("6 to 20 words", 20), ("21 to 100 words", 100), ("101 to 500 words", 500), ("over 500 words", math.inf))
EXTREME_FENCE = 3.0  # quartile distances beyond the quartile: Tukey's "far out" (Exploratory Data Analysis, 1977)
_TIMES = 4  # and so many times the median: in even data a fence alone would call ordinary rows extreme


class Slice(Record):
    """Rows of one band of lengths, by split."""

    name: str
    rows: dict[str, int]


class Extreme(Record):
    """A row that is far longer than nearly all others."""

    place: Place
    words: int


class Edges(Record):
    """Rows at the ends of the distribution."""

    slices: tuple[Slice, ...] = Field(description="Bands of length that have any row, shortest first.")
    short: int = Field(description=f"Texts with fewer than {_SHORT} letters or digits.")
    short_rows: tuple[Place, ...]
    median_words: int
    extreme: int = Field(description="Texts beyond Tukey's far-out fence of log length, and over four times the median.")
    extreme_rows: tuple[Extreme, ...] = Field(description=f"The {_SHOWN} longest of them.")


class LengthFinder:
    """Counts words as rows pass by: four bytes a row are kept."""

    def __init__(self) -> None:
        self._words = array("I")
        self._slices: dict[str, dict[str, int]] = {name: {"train": 0, "validation": 0, "test": 0} for name, _ in _SLICES}
        self._short = 0
        self._short_at: list[int] = []

    def see(self, ordinal: int, split: str, example: Example) -> None:
        """Measure one row's text."""
        words = len(example.text.split())
        self._words.append(words)
        self._slices[next(name for name, most in _SLICES if words <= most)][split] += 1
        if sum(c.isalnum() for c in example.text[:200]) < _SHORT:
            self._short += 1
            if len(self._short_at) < _SHOWN:
                self._short_at.append(ordinal)

    def edges(self, ledger: Ledger) -> Edges:
        """What was found."""
        ordered = sorted(self._words)
        q1, median, q3 = (ordered[int(q * (len(ordered) - 1))] for q in (0.25, 0.5, 0.75))
        low, high = math.log1p(q1), math.log1p(q3)
        fence = max(math.expm1(high + EXTREME_FENCE * (high - low)), _TIMES * median)
        extreme = sorted((-words, ordinal) for ordinal, words in enumerate(self._words) if words > fence)
        return Edges(
            slices=tuple(Slice(name=name, rows=rows) for name, rows in self._slices.items() if any(rows.values())),
            short=self._short,
            short_rows=tuple(ledger.place(ordinal) for ordinal in self._short_at),
            median_words=median,
            extreme=len(extreme),
            extreme_rows=tuple(Extreme(place=ledger.place(ordinal), words=-words) for words, ordinal in extreme[:_SHOWN]),
        )
