"""The rarest shingles of texts: similar texts share one of them (Chaudhuri, Ganti and Kaushik 2006; Bayardo, Ma and Srikant 2007).

Order the shingles of every text in the same way. Two texts with Jaccard similarity of at least t share at least t of the
n shingles of either, so the first ``n - ceil(t n) + 1`` of the one and of the other have one in common. With the rarest
first, few texts share what is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hatrack.data.duplicates.shingles import HashedTexts, hash_batches
from hatrack.data.duplicates.views import Picked

__all__ = ["rare_shingles"]

_SLOTS = 22  # bits of a hash by which its frequency is counted: collisions cost time, no pair
_AT_ONCE = 2**22  # shingles in memory


def rare_shingles(
    texts: Sequence[str], rows: NDArray[np.int64], threshold: float
) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
    """Hashes of rare shingles and the rows they stand in; any two rows as alike as ``threshold`` share a hash of one answer."""
    if not len(rows):
        return
    chosen = Picked(texts, rows)
    counts = np.zeros(2**_SLOTS, dtype=np.uint32)
    expected = 0.0
    for hashed in hash_batches(chosen):
        np.add.at(counts, _slots(hashed.hashes), 1)
        expected += float((np.diff(hashed.offsets) * (1 - threshold) + 1).sum())
    sweeps = 1 + int(expected) // _AT_ONCE
    for sweep in range(sweeps):
        hashes, holders, done = [], [], 0
        for hashed in hash_batches(chosen):
            rarest, text = _rarest(hashed, counts, threshold)
            mine = rarest % np.uint64(sweeps) == sweep
            hashes.append(rarest[mine])
            holders.append(rows[text[mine] + done])
            done += len(hashed.keys)
        yield np.concatenate(hashes), np.concatenate(holders)


def _rarest(hashed: HashedTexts, counts: NDArray[np.uint32], threshold: float) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The rarest distinct shingles of each text, and the number of the text in its batch."""
    text = np.repeat(np.arange(len(hashed.keys)), np.diff(hashed.offsets))
    order = np.lexsort((hashed.hashes, counts[_slots(hashed.hashes)], text))
    hashes, text = hashed.hashes[order], text[order]
    new = np.ones(len(text), dtype=bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (text[1:] != text[:-1])
    hashes, text = hashes[new], text[new]
    sizes = np.bincount(text, minlength=len(hashed.keys))
    rank = np.arange(len(text)) - (np.cumsum(sizes) - sizes)[text]
    kept = rank <= (sizes - np.ceil(sizes * threshold - 1e-9))[text]
    return hashes[kept], text[kept]


def _slots(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return hashes >> np.uint64(64 - _SLOTS)
