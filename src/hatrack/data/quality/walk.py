"""One pass over all rows: every accumulator sees each row once, and nothing but small numbers is kept."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Protocol

from hatrack.data.progress import Progress, silent
from hatrack.data.quality.record import Basis, Place
from hatrack.data.records import Example, Splits

__all__ = ["Ledger", "Observer", "answer", "sample", "walk"]

_EVERY = 1000  # rows between two reports of progress


class Observer(Protocol):
    """Something that looks at each row; ``ordinal`` counts from 0 through train, validation and test."""

    def see(self, ordinal: int, split: str, example: Example) -> None:
        """Take one row into account."""
        ...


class Ledger:
    """Where each row stands, by ordinal: eight bytes a row."""

    def __init__(self, splits: Splits) -> None:
        parts = splits.items()
        self._names = [name for name, _ in parts]
        self._starts = [0, *accumulate(len(rows) for _, rows in parts)]
        self._rows = array("q")

    @property
    def rows(self) -> int:
        """How many rows there are in all splits."""
        return self._starts[-1]

    def split(self, ordinal: int) -> tuple[str, int]:
        """Name of the split, and the position in it."""
        part = bisect_right(self._starts, ordinal) - 1
        return self._names[part], ordinal - self._starts[part]

    def place(self, ordinal: int) -> Place:
        """Split and row number, once the row was seen."""
        return Place(split=self.split(ordinal)[0], row=self._rows[ordinal])

    def see(self, ordinal: int, split: str, example: Example) -> None:
        """Note the row's number."""
        self._rows.append(example.row)


def walk(splits: Splits, observers: Sequence[Observer], progress: Progress = silent) -> Ledger:
    """Show every row to every observer, in the order train, validation, test."""
    ledger = Ledger(splits)
    ordinal = 0
    for split, rows in splits.items():
        for example in rows:
            ledger.see(ordinal, split, example)
            for observer in observers:
                observer.see(ordinal, split, example)
            ordinal += 1
            if ordinal % _EVERY == 0:
                progress("looking at the rows", ordinal, ledger.rows)
    return ledger


def sample(splits: Splits, limit: int, seed: int) -> tuple[list[int], list[Example], Basis]:
    """At most ``limit`` rows of all splits, drawn without replacement: ordinals, rows, and what share they are.

    They come in random order, so that the beginning of a sample is a sample too.
    """
    ledger = Ledger(splits)
    chosen = Random(seed).sample(range(ledger.rows), min(limit, ledger.rows))
    parts = dict(splits.items())
    found = {}
    for ordinal in sorted(chosen):  # ascending: a lazy sequence reads its file forwards
        name, position = ledger.split(ordinal)
        found[ordinal] = parts[name][position]
    return chosen, [found[ordinal] for ordinal in chosen], Basis(rows=len(chosen), of=ledger.rows)


def answer(example: Example) -> str:
    """What the model is to say: the label, or the last turn of the conversation; empty where the text itself is learned."""
    return example.label or (example.messages[-1].content if example.messages else "")
