"""Rows of one set of texts that also stand, word for word or nearly, in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hatrack.data.duplicates.candidates import across, candidate_pairs
from hatrack.data.duplicates.compare import Comparer, equal_pairs
from hatrack.data.duplicates.disjoint import DisjointSets
from hatrack.data.duplicates.sketches import bands_for, only, sketch
from hatrack.data.duplicates.views import Chained, Picked
from hatrack.data.progress import Progress, silent

__all__ = ["Overlap", "overlaps"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """A text of the one set and a text of the other, by their indices; Jaccard similarity 1 where they are equal."""

    index: int
    other: int
    similarity: float


def overlaps(texts: Sequence[str], others: Sequence[str], threshold: float, progress: Progress = silent) -> list[Overlap]:
    """Each of ``texts`` that is in ``others``, or as similar as ``threshold`` to one of them, with one that it is like.

    Unlike a cluster this is no chain: the two texts shown are themselves alike.
    """
    both, border = Chained(texts, others), len(texts)
    keys, bands = sketch(both, bands_for(threshold), progress)
    sets = DisjointSets(len(both))
    for i, j in equal_pairs(both, keys):
        sets.join(i, j)
    roots = sets.roots()
    mine = roots[:border]
    partner, similarity = np.full(border, -1), np.zeros(border)
    groups, first = np.unique(roots[border:], return_index=True)
    equal = np.isin(mine, groups)
    partner[equal], similarity[equal] = border + first[np.searchsorted(groups, mine[equal])], 1.0
    if len(bands):
        comparer = Comparer(both)
        left = np.flatnonzero((mine == np.arange(border)) & ~equal)
        compared = np.concatenate([left, border + np.sort(first)])
        for pairs in candidate_pairs(Picked(both, compared), only(bands, compared), threshold, across(len(left)), progress):
            rows = compared[pairs]
            for i, j, alike in comparer.similar(rows[partner[rows[:, 0]] < 0], threshold):
                if alike > similarity[i]:
                    partner[i], similarity[i] = j, alike
        partner, similarity = partner[mine], similarity[mine]  # equal texts share their first one's answer
    return [Overlap(i, int(partner[i]) - border, float(similarity[i])) for i in np.flatnonzero(partner >= 0).tolist()]
