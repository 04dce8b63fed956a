"""The same clusters by datasketch: MinHash.bulk, MinHashLSH with as many permutations and bands, and the same exact check."""

from __future__ import annotations

from collections.abc import Sequence

from datasketch import MinHash, MinHashLSH

from hatrack.data.duplicates.shingles import shingles
from hatrack.data.records import normalised


def datasketch_clusters(texts: Sequence[str], threshold: float, bands: int | None) -> list[int]:
    """``bands``: of 128 permutations; None leaves them to MinHashLSH, which then misses most pairs at the threshold."""
    parent = list(range(len(texts)))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(i: int, j: int) -> None:
        low, high = sorted((find(i), find(j)))
        parent[high] = low

    first: dict[str, int] = {}
    forms = [normalised(text) for text in texts]
    for i, form in enumerate(forms):
        join(first.setdefault(form, i), i)
    distinct = sorted(first.values())
    pieces = {i: shingles(forms[i]) for i in distinct}
    sketches = MinHash.bulk(([piece.encode() for piece in pieces[i]] for i in distinct), num_perm=128, seed=42)
    index = MinHashLSH(threshold=threshold, num_perm=128, params=(bands, 128 // bands) if bands else None)
    for i, sketch in zip(distinct, sketches, strict=True):
        for j in index.query(sketch):
            a, b = pieces[i], pieces[j]
            common = len(a & b)
            if common / (len(a) + len(b) - common) >= threshold:
                join(i, j)
        index.insert(i, sketch)
    return [find(i) for i in range(len(texts))]
