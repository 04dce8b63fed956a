"""The texts decide: exact comparison of the pairs that hashes propose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hatrack.data.duplicates.candidates import Pairs, find_runs
from hatrack.data.duplicates.shingles import hash_texts
from hatrack.data.records import normalised

__all__ = ["Comparer", "equal_pairs"]

_NUMBER = 12  # bits for the number of a list of hashes that is sorted together with others
_TOGETHER = 2 ** (_NUMBER - 1)  # pairs compared at a time: of twice as many texts
_CHARACTERS = 2**17  # of texts that are read and hashed at a time
_PIECES = 2**22  # shingles of texts that are kept: 32 MB


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
        self._pieces: dict[int, NDArray[np.uint64]] = {}  # of a row: its distinct shingles
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
            if characters >= _CHARACTERS or len(waiting) == _TOGETHER:
                yield from self._compared(waiting, missing, threshold)
                waiting, missing, characters = [], {}, 0
        if waiting:
            yield from self._compared(waiting, missing, threshold)

    def _compared(self, pairs: list[tuple[int, int]], missing: dict[int, str], threshold: float) -> list[tuple[int, int, float]]:
        if missing:
            hashed = hash_texts(list(missing.values()))
            pieces, sizes = _distinct(hashed.hashes, np.diff(hashed.offsets))
            self._pieces.update((row, pieces[a:b]) for row, (a, b) in zip(missing, pairwise([0, *np.cumsum(sizes).tolist()]), strict=True))
            self._kept += len(pieces)
        both = [self._pieces[row] for pair in pairs for row in pair]
        sizes = np.fromiter(map(len, both), dtype=np.int64).reshape(-1, 2).sum(axis=1)
        _, union = _distinct(np.concatenate(both), sizes)
        similarity = (sizes - union) / union
        if self._kept > _PIECES:
            self._pieces, self._kept = {}, 0
        return [(*pairs[at], float(similarity[at])) for at in np.flatnonzero(similarity >= threshold).tolist()]


def _distinct(hashes: NDArray[np.uint64], sizes: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The distinct hashes of each of some lists of the given sizes, one list after the other, and how many each has.

    All are sorted in one go, by the number of the list and the upper 52 bits of the hash. Two paragraphs have a few hundred
    shingles: the chance that any two of them are taken for one is one in 10**11.
    """
    numbers = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes) << np.uint64(64 - _NUMBER)
    numbers = np.sort(numbers | hashes >> np.uint64(_NUMBER))
    new = np.ones(len(numbers), dtype=bool)
    np.not_equal(numbers[1:], numbers[:-1], out=new[1:])
    numbers = numbers[new]
    found = np.bincount(numbers >> np.uint64(64 - _NUMBER), minlength=len(sizes))
    return numbers << np.uint64(_NUMBER), found
