"""River's adaptive Hoeffding tree: learns row by row and replaces branches whose errors rise (Bifet and Gavaldà 2009)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hatrack.core.extras import require
from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.scorers.base import Array, Scorer

__all__ = ["River"]


class River:
    """It has no stored form: its state is Python objects, and versions hold no code."""

    keeps_monotone = False

    def __init__(self) -> None:
        tree = require("river.tree", extra="tables", reason="the learner river")
        self._model: Any = tree.HoeffdingAdaptiveTreeClassifier(grace_period=50, seed=0)

    def resume(self, scorer: Scorer) -> bool:
        return False

    def learn(self, sample: Sample) -> None:
        for row, target in zip(sample.matrix, sample.target, strict=True):
            self._model.learn_one(_record(row), int(target))

    def probabilities(self, matrix: Array) -> Array:
        return np.array([self._model.predict_proba_one(_record(row)).get(1, 0.5) for row in matrix])

    def scorer(self) -> None:
        return None


def _record(row: Array) -> dict[int, float]:
    return {place: float(value) for place, value in enumerate(row) if not np.isnan(value)}
