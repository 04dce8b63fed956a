"""Clusters of equal and nearly equal texts: MinHash finds candidates (rensa), exact Jaccard decides."""

from __future__ import annotations

from collections.abc import Sequence

from hatrack.data.records import normalised

__all__ = ["clusters", "shingles"]

_PERMUTATIONS = 128
_SEED = 42  # of the hash functions; part of nothing that a user may want to vary


def clusters(texts: Sequence[str], threshold: float) -> list[int]:
    """A cluster number for each text: the smallest index of a text it is connected to.

    Two texts are connected when they are equal after normalisation, or when the Jaccard similarity of their shingles
    is at least ``threshold`` (Broder 1997).
    """
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
    if threshold < 1:
        distinct = sorted(set(first.values()))
        for i, j in _near_pairs([forms[i] for i in distinct], threshold):
            join(distinct[i], distinct[j])
    return [find(i) for i in range(len(texts))]


def shingles(text: str) -> set[str]:
    """Overlapping pieces of a normalised text: three words, or five characters where there are few words."""
    words = text.split()
    if len(words) >= 8:
        return {" ".join(words[i : i + 3]) for i in range(len(words) - 2)}
    return {text[i : i + 5] for i in range(max(1, len(text) - 4))}


def _near_pairs(texts: Sequence[str], threshold: float) -> list[tuple[int, int]]:
    from rensa import RMinHash, RMinHashLSH

    # Bands of 8, 4 or 2 hashes: of pairs at the threshold fewer than one in a hundred is missed (down to 0.3); pairs
    # below it become candidates too, and the exact check removes them.
    bands = 16 if threshold >= 0.85 else 32 if threshold >= 0.65 else 64
    index = RMinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS, num_bands=bands)
    pieces = [shingles(text) for text in texts]
    pairs = []
    for i, piece in enumerate(pieces):
        sketch = RMinHash(num_perm=_PERMUTATIONS, seed=_SEED)
        sketch.update(sorted(piece))
        for j in sorted(index.query(sketch)):
            if _jaccard(piece, pieces[j]) >= threshold:
                pairs.append((j, i))
        index.insert(i, sketch)
    return pairs


def _jaccard(a: set[str], b: set[str]) -> float:
    common = len(a & b)
    return common / (len(a) + len(b) - common)
