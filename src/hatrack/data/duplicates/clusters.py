"""Clusters of equal and nearly equal texts: what a split must keep on one side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hatrack.data.duplicates.candidates import candidate_pairs, within
from hatrack.data.duplicates.compare import Comparer, equal_pairs
from hatrack.data.duplicates.disjoint import DisjointSets
from hatrack.data.duplicates.sketches import bands_for, only, sketch
from hatrack.data.duplicates.views import Picked
from hatrack.data.progress import Progress, silent

__all__ = ["clusters"]


def clusters(texts: Sequence[str], threshold: float, progress: Progress = silent) -> list[int]:
    """A cluster number for each text: the smallest index of a text it is connected to.

    Two texts are connected when they are equal after normalisation, or when the Jaccard similarity of their shingles
    is at least ``threshold`` (Broder 1997). The texts are read once in order, and again where they are compared; they
    need not be in memory.
    """
    keys, bands = sketch(texts, bands_for(threshold), progress)
    sets = DisjointSets(len(texts))
    for i, j in equal_pairs(texts, keys):
        sets.join(i, j)
    if len(bands):
        comparer = Comparer(texts)
        firsts = np.flatnonzero(sets.roots() == np.arange(len(texts)))
        for pairs in candidate_pairs(Picked(texts, firsts), only(bands, firsts), threshold, within, progress):
            rows = firsts[pairs]
            apart = sets.roots(rows[:, 0]) != sets.roots(rows[:, 1])
            for i, j, _ in comparer.similar(rows[apart], threshold):
                sets.join(i, j)
    return sets.names()
