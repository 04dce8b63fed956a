"""How much worse the model gets when a column is shuffled: permutation importance (Breiman 2001)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hatrack.tabular.model import Prediction, TableModel
from hatrack.tabular.scorers.base import Array

__all__ = ["Importance", "permutation_importance"]


@dataclass(frozen=True)
class Importance:
    """Mean fall of the figure over the repetitions, and their standard deviation."""

    column: str
    fall: float
    deviation: float


def permutation_importance(
    model: TableModel, matrix: Array, figure: Callable[[Prediction], float], *, repeats: int = 5, seed: int = 0
) -> list[Importance]:
    """All columns, the most important first.

    Args:
        matrix: rows that the model was not trained on, encoded.
        figure: how good predictions of these rows are, in their order; higher is better.
    """
    whole, owner = figure(model.judge(matrix)), model.card.encoding.owner
    rng = np.random.default_rng(seed)
    found = []
    for number, column in enumerate(model.card.encoding.columns):
        own, falls = owner == number, []
        for _ in range(repeats):
            shuffled = matrix.copy()
            shuffled[:, own] = matrix[np.ix_(rng.permutation(len(matrix)), np.flatnonzero(own))]
            falls.append(whole - figure(model.judge(shuffled)))
        found.append(Importance(column.name, float(np.mean(falls)), float(np.std(falls))))
    return sorted(found, key=lambda one: -one.fall)
