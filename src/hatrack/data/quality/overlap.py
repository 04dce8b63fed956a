"""Rows that also stand in an evaluation file: scores on that file would be of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pydantic import Field

from hatrack.data.quality.record import Place, Record
from hatrack.data.records import Example

__all__ = ["Overlap", "Shared", "overlap"]

_SHOWN = 25


class Shared(Record):
    """A training row and the row of the evaluation file that it is like."""

    place: Place
    other: int = Field(description="Row number in the evaluation file, from 1.")
    text: str


class Overlap(Record):
    """What the training rows and an evaluation file have in common."""

    file: str
    others: int = Field(description="Rows of the evaluation file.")
    rows: int = Field(description="Training rows that are equal or nearly equal to one of them.")
    pairs: tuple[Shared, ...] = Field(description=f"The first {_SHOWN}.")


def overlap(
    file: str, train: Sequence[Example], others: Sequence[Example], alike: Iterable[tuple[int, int]], quote: Callable[[str], str]
) -> Overlap:
    """Name the rows behind ``alike``: pairs of indices into ``train`` and ``others``, one for each training row."""
    found = sorted(alike)
    pairs = tuple(
        Shared(place=Place(split="train", row=train[i].row), other=others[j].row, text=quote(train[i].text)) for i, j in found[:_SHOWN]
    )
    return Overlap(file=file, others=len(others), rows=len(found), pairs=pairs)
