"""The texts decide: exact comparison of the pairs that hashes propose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hatrack.data.duplicates.candidates import Pairs, find_runs
from hatrack.data.duplicates.shingles import hash_batches, jaccard
from hatrack.data.records import normalised

__all__ = ["Comparer", "equal_pairs"]

_CHARACTERS = 2**17  # of texts that are read and hashed at a time
_PIECES = 2**19  # of texts that are kept: some 50 MB


def equal_pairs(texts: Sequence[str], keys: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """The first row of each text and every later row that is equal to it after normalisation."""
    runs = find_runs(keys)
    for start, size in zip(runs.starts.tolist(), runs.sizes.tolist(), strict=True):
        first: dict[str, int] = {}
        for row in runs.rows[start : start + size].tolist():
            known = first.setdefault(normalised(texts[row]), row)
            if known != row:
                yield known, row


class Comparer:
    """Exact Jaccard similarity of pairs of ``texts``; the shingles of texts that were just compared are kept for a while."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._pieces: dict[int, set[int]] = {}
        self._kept = 0

    def similar(self, pairs: Pairs, threshold: float) -> Iterator[tuple[int, int, float]]:
        """The pairs whose similarity is at least ``threshold``, with it."""
        waiting: list[tuple[int, int]] = []
        missing: dict[int, str] = {}
        characters = 0
        for i, j in pairs.tolist():
            for row in (i, j):
                if row not in self._pieces and row not in missing:
                    missing[row] = self._texts[row]
                    characters += len(missing[row])
            waiting.append((i, j))
            if characters >= _CHARACTERS:
                yield from self._compared(waiting, missing, threshold)
                waiting, missing, characters = [], {}, 0
        yield from self._compared(waiting, missing, threshold)

    def _compared(self, pairs: list[tuple[int, int]], missing: dict[int, str], threshold: float) -> Iterator[tuple[int, int, float]]:
        fresh = chain.from_iterable(hashed.sets() for hashed in hash_batches(missing.values()))
        for row, pieces in zip(missing, fresh, strict=True):
            self._pieces[row] = pieces
            self._kept += len(pieces)
        for i, j in pairs:
            similarity = jaccard(self._pieces[i], self._pieces[j])
            if similarity >= threshold:
                yield i, j, similarity
        if self._kept > _PIECES:
            self._pieces, self._kept = {}, 0
