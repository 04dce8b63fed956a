"""One text, two labels: rows whose texts are equal or nearly so and whose labels are not."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from pydantic import Field

from hatrack.data.quality.record import Place, Record
from hatrack.data.quality.walk import Ledger
from hatrack.data.records import Example, Splits, normalised

__all__ = ["Conflict", "ConflictFinder", "Conflicts", "equal_roots"]

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
    """Holds every row against the first of its cluster; four bytes a row are kept.

    Args:
        roots: for each row the ordinal of the first row of its cluster, in the order of the walk.
        quote: how a text is shown.
    """

    def __init__(self, roots: Sequence[int], quote: Callable[[str], str]) -> None:
        self._roots = roots
        self._quote = quote
        self._numbers: dict[str, int] = {}
        self._labels = array("I")
        self._rows = 0
        self._found: list[tuple[int, int, str]] = []

    def see(self, ordinal: int, split: str, example: Example) -> None:
        """Compare one row with the first of its cluster."""
        self._labels.append(self._numbers.setdefault(example.label, len(self._numbers)))
        first = self._roots[ordinal]
        if self._labels[first] != self._labels[ordinal]:
            self._rows += 1
            if len(self._found) < _SHOWN:
                self._found.append((first, ordinal, self._quote(example.text)))

    def conflicts(self, ledger: Ledger) -> Conflicts:
        """What was found."""
        names, labels = list(self._numbers), self._labels
        pairs = tuple(
            Conflict(
                first=ledger.place(first),
                first_label=names[labels[first]],
                second=ledger.place(second),
                second_label=names[labels[second]],
                text=text,
            )
            for first, second, text in self._found
        )
        return Conflicts(rows=self._rows, pairs=pairs)


def equal_roots(splits: Splits) -> Sequence[int]:
    """For each row the ordinal of the first row whose text is the same but for case, punctuation and white space."""
    first: dict[int, int] = {}
    roots = array("q")
    for ordinal, example in enumerate(example for _, rows in splits.items() for example in rows):
        roots.append(first.setdefault(hash(normalised(example.text)), ordinal))
    return roots
