"""What is kept of a text while its like is looked for: a key, and one 32-bit number for each band of its MinHash sketch.

A sketch is 128 numbers of which two texts share a part equal to their Jaccard similarity, in expectation (Broder 1997).
It is cut into bands; texts that agree in all of one band become candidates. A text costs 8 bytes and 4 for each band,
however long it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hatrack.data.duplicates.shingles import HashedTexts, hash_batches, mixed
from hatrack.data.progress import Progress

__all__ = ["bands_for", "only", "sketch"]

_PERMUTATIONS = 128
_SEED = 42  # of the hash functions; part of nothing that a user may want to vary


def bands_for(threshold: float) -> int:
    """How many bands find pairs at ``threshold``; 0 where only equal texts are asked for.

    Bands of 8, 4 or 2 numbers: of pairs at the threshold fewer than one in a hundred is missed (down to 0.3); pairs below
    it become candidates too, and the exact check removes them.
    """
    if threshold >= 1:
        return 0
    return 16 if threshold >= 0.85 else 32 if threshold >= 0.65 else 64


def sketch(texts: Sequence[str], bands: int, progress: Progress) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Keys [texts] and bands [bands, texts], from one pass over the texts."""
    keys = np.empty(len(texts), dtype=np.uint64)
    table = np.empty((bands, len(texts)), dtype=np.uint32)
    done = 0
    for hashed in hash_batches(texts):
        here = slice(done, done + len(hashed.keys))
        keys[here] = hashed.keys
        if bands:
            table[:, here] = _bands(hashed, bands)
        done = here.stop
        progress("reading texts", done, len(texts))
    return keys, table


def only(bands: NDArray[np.uint32], rows: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The bands of some rows, in the memory of ``bands``, which is used up."""
    for band in bands:
        band[: len(rows)] = band[rows]
    return bands[:, : len(rows)]


def _bands(hashed: HashedTexts, bands: int) -> NDArray[np.uint32]:
    from rensa import RMinHash

    offsets = hashed.offsets.astype(np.uint64)
    digests = RMinHash.digest_matrix_from_flat_token_hashes(hashed.hashes, offsets, num_perm=_PERMUTATIONS, seed=_SEED)
    numbers = np.array(digests.to_rows(), dtype=np.uint64).reshape(len(hashed.keys), bands, -1)
    weights = mixed(np.arange(1, numbers.shape[2] + 1, dtype=np.uint64))
    # 32 bits are enough: texts whose bands collide by chance are compared and told apart
    return (mixed((numbers * weights).sum(axis=2)) >> np.uint64(32)).astype(np.uint32).T
