"""Logistic regression by stochastic gradient descent: scikit-learn's ``partial_fit``, scaling learned along the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.scorers.base import Array, Scorer
from hatrack.tabular.scorers.linear import LinearScorer

__all__ = ["PartialFit"]

_RATE = 0.02  # constant, so that what is learned last counts most


class PartialFit:
    """Missing numbers take the mean so far. What was resumed keeps its scaling: its weights belong to it."""

    keeps_monotone = False

    def __init__(self) -> None:
        self._begun: LinearScorer | None = None
        self._scaler = StandardScaler()
        self._model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=_RATE, alpha=1e-4, random_state=0)

    def resume(self, scorer: Scorer) -> bool:
        if not isinstance(scorer, LinearScorer) or scorer.link != "logit" or len(scorer.bias) > 1:
            return False
        self._begun = scorer
        # one step makes the places where scikit-learn keeps weights; then they are those of the stored model
        self._model.partial_fit(np.zeros((1, len(scorer.mean))), [0.0], classes=[0.0, 1.0])
        self._model.coef_, self._model.intercept_ = scorer.weights.copy(), scorer.bias.copy()
        return True

    def learn(self, sample: Sample) -> None:
        if self._begun is not None:
            scaled = self._begun.scaled(sample.matrix)
        else:
            self._scaler.partial_fit(sample.matrix)  # it leaves NaN out of its means
            scaled = np.nan_to_num(self._scaler.transform(sample.matrix))
        self._model.partial_fit(scaled, sample.target, classes=[0.0, 1.0], sample_weight=sample.weight)

    def probabilities(self, matrix: Array) -> Array:
        scorer = self.scorer()
        if scorer is None:
            return np.full(len(matrix), 0.5)
        found: Array = 1 / (1 + np.exp(-scorer.margins(matrix)[:, 0]))
        return found

    def scorer(self) -> LinearScorer | None:
        if not hasattr(self._model, "coef_"):
            return None
        weights, bias = (np.array(part, np.float64) for part in (self._model.coef_, self._model.intercept_))
        if self._begun is not None:
            return replace(self._begun, weights=weights, bias=bias)
        mean = np.nan_to_num(np.asarray(self._scaler.mean_, np.float64))
        return LinearScorer(mean, mean, np.asarray(self._scaler.scale_, np.float64), weights, bias, "logit")
