"""What the model does as one column changes and everything else stays: partial dependence (Friedman 2001)."""

from __future__ import annotations

import numpy as np

from hatrack.tabular.model import TableModel
from hatrack.tabular.scorers.base import Array
from hatrack.tabular.values import shown

__all__ = ["partial_dependence"]


def partial_dependence(model: TableModel, matrix: Array, column: str) -> list[tuple[str, float]]:
    """Each value that training saw of a column, and the mean score of ``matrix``'s rows with it.

    The score is the probability of the positive class (of many: of the class chosen), or the predicted value. Texts and
    dates have no values to try and give an empty list.

    Raises:
        DataError: the model reads no such column.
    """
    encoder = model.card.encoding.column(column)
    own = model.card.encoding.owner == model.card.encoding.columns.index(encoder)
    found = []
    for value in encoder.alternatives():
        changed = matrix.copy()
        changed[:, own] = encoder.encode([value])
        found.append((shown(value), float(np.mean(model.score(model.judge(changed))))))
    return found
