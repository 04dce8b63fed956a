"""XGBoost, continued: new rows add trees that correct the ones before."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.fitting.models.xgboost import XGBoost, continued
from hatrack.tabular.scorers.base import Array, Scorer
from hatrack.tabular.scorers.boosted import BoostedScorer

__all__ = ["Continued"]

_OPTIONS = {"max_depth": 3, "eta": 0.1}
_FIRST, _MORE = 60, 10  # trees of the first rows, and of every later part


class Continued:
    """Old trees stay: after a change of the world they must be outvoted, so a fresh start forgets faster."""

    keeps_monotone = True

    def __init__(self) -> None:
        self._scorer: BoostedScorer | None = None

    def resume(self, scorer: Scorer) -> bool:
        if not isinstance(scorer, BoostedScorer) or scorer.link != "logit":
            return False
        self._scorer = scorer
        return True

    def learn(self, sample: Sample) -> None:
        if self._scorer is None:
            self._scorer, _ = XGBoost().fit(sample, {**_OPTIONS, "rounds": _FIRST})
        else:
            self._scorer = continued(self._scorer, sample, _OPTIONS, _MORE)

    def probabilities(self, matrix: Array) -> Array:
        if self._scorer is None:
            return np.full(len(matrix), 0.5)
        found: Array = expit(self._scorer.margins(matrix)[:, 0])
        return found

    def scorer(self) -> BoostedScorer | None:
        return self._scorer
