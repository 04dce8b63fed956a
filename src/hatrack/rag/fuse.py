"""Two rankings to one, and the best to the best and different."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hatrack.models.embedders.base import Vectors

__all__ = ["diverse", "reciprocal_ranks"]


def reciprocal_ranks(rankings: Sequence[tuple[float, Sequence[str]]], constant: float) -> dict[str, float]:
    """Reciprocal rank fusion (Cormack et al. 2009): ``Σ weight / (constant + rank)``, ranks from 1, best first.

    Args:
        rankings: a weight and ids from the best on.
    """
    scores: dict[str, float] = {}
    for weight, ids in rankings:
        for rank, one in enumerate(ids, 1):
            scores[one] = scores.get(one, 0.0) + weight / (constant + rank)
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))


def diverse(scores: Mapping[str, float], vectors: Mapping[str, Vectors], k: int, diversity: float) -> list[str]:
    """Maximal marginal relevance (Carbonell & Goldstein 1998): each next one is good and unlike those before it.

    Args:
        scores: relevance, best first; scaled to one here.
        diversity: weight of being unlike; 0 keeps the order.
    """
    left = [one for one in scores if one in vectors]
    if not diversity or not left:
        return list(scores)[:k]
    best = max(scores.values()) or 1.0
    matrix = np.stack([vectors[one] for one in left])
    relevance = np.array([scores[one] / best for one in left])
    nearest = np.zeros(len(left))
    chosen: list[int] = []
    while len(chosen) < min(k, len(left)):
        worth = (1 - diversity) * relevance - diversity * nearest
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
        nearest = np.maximum(nearest, matrix @ matrix[chosen[-1]])
    return [left[i] for i in chosen]
