"""Union-find over row numbers: the name of a set is its smallest row (Galler and Fischer 1964)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["DisjointSets", "united"]


class DisjointSets:
    """Rows 0 to ``count`` - 1, at first each alone."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)

    def join(self, i: int, j: int) -> None:
        """Make one set of the two that hold ``i`` and ``j``."""
        low, high = sorted((self._root(i), self._root(j)))
        self._parent[high] = low

    def roots(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """The smallest row of the set of each of ``rows``; of all rows where none are named."""
        roots = self._parent if rows is None else self._parent[rows]
        while not np.array_equal(above := self._parent[roots], roots):
            roots = above
        return roots.copy()

    def names(self) -> list[int]:
        """For every row the smallest row of its set."""
        names: list[int] = self.roots().tolist()
        return names

    def _root(self, i: int) -> int:
        parent = self._parent
        while (above := int(parent[i])) != i:
            parent[i] = parent[above]
            i = above
        return i


def united(*partitions: Sequence[int]) -> list[int]:
    """Rows that are together in any of the partitions, together. Each holds for every row the smallest row of its set."""
    sets = DisjointSets(len(partitions[0]))
    for partition in partitions:
        for i in np.flatnonzero(np.asarray(partition, dtype=np.int64) != np.arange(len(partition))).tolist():
            sets.join(i, partition[i])
    return sets.names()
