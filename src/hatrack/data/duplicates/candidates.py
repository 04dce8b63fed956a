"""Which pairs of texts are worth comparing: those whose sketches agree in a band, in time that grows with the rows alone.

Rows with the same number in a band are a run. A short run is compared all with all. Rows of long runs (templates: a
thousand notices that differ in a name) are put aside and paired by their rarest shingles, which finds every pair too and
does not drown in what all of them share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hatrack.data.duplicates.rare import rare_shingles
from hatrack.data.progress import Progress

__all__ = ["Arrange", "Pairs", "Runs", "across", "candidate_pairs", "find_runs", "within"]

_LONG = 32  # rows; a run is compared all with all up to this length
_COMPARISONS = 2**22  # of rows that share a rare shingle; where there are more, each is compared with as many as that allows
_BLOCK = 2**16  # pairs in one array

Pairs = NDArray[np.int64]  # [pairs, 2]: row numbers, the smaller first


@dataclass(frozen=True)
class Runs:
    """Rows that share a number: run r is ``rows[starts[r] : starts[r] + sizes[r]]``, ascending; every run has two or more."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def only(self, chosen: NDArray[np.bool_]) -> Runs:
        """Some of the runs."""
        return Runs(self.rows, self.starts[chosen], self.sizes[chosen])

    def members(self) -> NDArray[np.int64]:
        """The rows of all runs."""
        return self.rows[_spans(self.starts, self.sizes)]


Arrange = Callable[[Runs, int], Iterator[Pairs]]  # the pairs of each run; of a longer one than the number, so many for each row


def find_runs(numbers: NDArray[np.uint32] | NDArray[np.uint64], rows: NDArray[np.int64] | None = None) -> Runs:
    """The runs among rows with these numbers; the rows are 0, 1, 2, ... where they are not given."""
    order = np.argsort(numbers, kind="stable")
    inner = np.flatnonzero(np.diff(numbers[order])) + 1
    starts = np.concatenate([[0], inner]).astype(np.int64)
    sizes = np.diff(starts, append=len(numbers))
    several = sizes > 1
    return Runs(order if rows is None else rows[order], starts[several], sizes[several])


def within(runs: Runs, most: int) -> Iterator[Pairs]:
    """Pairs of rows of one run: neighbours first, so that a run of copies is one chain before the rest is looked at."""
    for distance in range(1, most):
        runs = runs.only(runs.sizes > distance)
        if not len(runs.sizes):
            return
        left = _spans(runs.starts, runs.sizes - distance)
        yield from _blocks(runs.rows[left], runs.rows[left + distance])


def across(border: int) -> Arrange:
    """Pairs of one row below ``border`` and one from it on."""

    def arrange(runs: Runs, most: int) -> Iterator[Pairs]:
        below = np.concatenate([[0], np.cumsum(runs.rows < border)])
        lefts = below[runs.starts + runs.sizes] - below[runs.starts]
        for turn in range(most):
            open_ = (lefts > 0) & (runs.sizes - lefts > turn)
            if not open_.any():
                return
            runs, lefts = runs.only(open_), lefts[open_]
            rights = np.repeat(runs.sizes - lefts, lefts)
            partner = (_spans(np.zeros_like(lefts), lefts) + turn) % rights + np.repeat(runs.starts + lefts, lefts)
            yield from _blocks(runs.rows[_spans(runs.starts, lefts)], runs.rows[partner])

    return arrange


def candidate_pairs(
    texts: Sequence[str], bands: NDArray[np.uint32], threshold: float, arrange: Arrange, progress: Progress
) -> Iterator[Pairs]:
    """Pairs of rows of ``texts``, whose sketches are ``bands`` [bands, texts], as ``arrange`` makes them of runs."""
    crowded = np.zeros(len(texts), dtype=bool)
    for number, band in enumerate(bands):
        runs = find_runs(band)
        long = runs.sizes > _LONG
        crowded[runs.only(long).members()] = True
        for pairs in arrange(runs.only(~long), _LONG):
            # a pair that agrees in an earlier band too was compared there
            yield pairs[~(bands[:number, pairs[:, 0]] == bands[:number, pairs[:, 1]]).any(axis=0)]
        progress("comparing texts", number + 1, len(bands) + 1)
    for hashes, rows in rare_shingles(texts, np.flatnonzero(crowded), threshold):
        for pairs in arrange(find_runs(hashes, rows), max(_LONG, _COMPARISONS // max(1, len(rows)))):
            once = np.unique(pairs[:, 0] * len(texts) + pairs[:, 1])  # two rows may share several rare shingles
            yield np.stack(np.divmod(once, len(texts)), axis=1)
    progress("comparing texts", len(bands) + 1, len(bands) + 1)


def _spans(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """``range(start, start + size)`` for each, one after the other."""
    ends = np.cumsum(sizes)
    return np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)


def _blocks(left: NDArray[np.int64], right: NDArray[np.int64]) -> Iterator[Pairs]:
    for start in range(0, len(left), _BLOCK):
        yield np.stack([left[start : start + _BLOCK], right[start : start + _BLOCK]], axis=1)
