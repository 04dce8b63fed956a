"""Any kind of table model as a learner that forgets: it is fitted anew on what it is given. What learners are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit

from hatrack.tabular.fitting.models.base import TABLE_MODELS, Sample
from hatrack.tabular.scorers.base import Array, Scorer

__all__ = ["Refit"]


class Refit:
    """See the first line."""

    keeps_monotone = True  # as far as its kind of model does, which was asked when the table was trained

    def __init__(self, kind: str, settings: Mapping[str, Any]) -> None:
        self.kind = kind
        self._settings = settings
        self._scorer: Scorer | None = None

    def resume(self, scorer: Scorer) -> bool:
        return False

    def learn(self, sample: Sample) -> None:
        self._scorer, _ = TABLE_MODELS.get(self.kind)().fit(sample, self._settings)

    def probabilities(self, matrix: Array) -> Array:
        if self._scorer is None:
            return np.full(len(matrix), 0.5)
        margin = self._scorer.margins(matrix)[:, 0]
        found: Array = margin if self._scorer.link == "probability" else expit(margin)
        return found

    def scorer(self) -> Scorer | None:
        return self._scorer
