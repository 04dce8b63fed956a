"""Texts seen through an index: nothing is copied, and texts on disk stay there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chained", "Picked"]


class Picked(Sequence[str]):
    """The texts at ``rows``, in that order."""

    def __init__(self, texts: Sequence[str], rows: NDArray[np.int64]) -> None:
        self._texts = texts
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Picked: ...
    def __getitem__(self, index: int | slice) -> str | Picked:
        if isinstance(index, slice):
            return Picked(self._texts, self._rows[index])
        return self._texts[int(self._rows[index])]


class Chained(Sequence[str]):
    """Some texts, and behind them others."""

    def __init__(self, *parts: Sequence[str]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            yield from part

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Picked: ...
    def __getitem__(self, index: int | slice) -> str | Picked:
        if isinstance(index, slice):
            return Picked(self, np.arange(len(self))[index])
        at = range(len(self))[index]
        part = int(np.searchsorted(self._ends, at, side="right"))
        return self._parts[part][at - (int(self._ends[part - 1]) if part else 0)]
