"""One text, two labels: rows whose texts are equal or nearly so and whose labels are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import Field

from hatrack.data.quality.record import Place, Record
from hatrack.data.quality.walk import Ledger
from hatrack.data.records import Example, normalised

__all__ = ["Conflict", "ConflictFinder", "Conflicts"]

_SHOWN = 25


class Conflict(Record):
    """Two rows that contradict each other."""

    first: Place
    first_label: str
    second: Place
    second_label: str
    text: str = Field(description="The beginning of the second row's text.")


class Conflicts(Record):
    """Rows whose label differs from that of the first row with this text."""

    rows: int
    pairs: tuple[Conflict, ...] = Field(description=f"The first {_SHOWN}.")


class ConflictFinder:
    """Remembers the first row of each cluster and holds every later one against it.

    Args:
        roots: for each row the number of its cluster of near-duplicates, in the order of the walk; None: only texts
            that are equal but for case, punctuation and white space are one.
        quote: how a text is shown.
    """

    def __init__(self, roots: Sequence[int] | None, quote: Callable[[str], str]) -> None:
        self._roots = roots
        self._quote = quote
        self._first: dict[int, tuple[int, str]] = {}
        self._rows = 0
        self._found: list[tuple[int, str, int, str, str]] = []

    def see(self, ordinal: int, split: str, example: Example) -> None:
        """Compare one row with the first of its cluster."""
        root = hash(normalised(example.text)) if self._roots is None else self._roots[ordinal]
        first, label = self._first.setdefault(root, (ordinal, example.label))
        if label != example.label:
            self._rows += 1
            if len(self._found) < _SHOWN:
                self._found.append((first, label, ordinal, example.label, self._quote(example.text)))

    def conflicts(self, ledger: Ledger) -> Conflicts:
        """What was found."""
        pairs = tuple(
            Conflict(first=ledger.place(first), first_label=label, second=ledger.place(second), second_label=other, text=text)
            for first, label, second, other, text in self._found
        )
        return Conflicts(rows=self._rows, pairs=pairs)
