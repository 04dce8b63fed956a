"""Logistic and ridge regression, by scikit-learn: median for what is missing, features scaled, L2 penalty searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.fitting.options import built
from hatrack.tabular.scorers.linear import LinearScorer

__all__ = ["Linear"]


class Linear:
    """See the first line."""

    keeps_monotone = False
    rounds_key = ""

    def grid(self, sample: Sample) -> list[dict[str, Any]]:
        if sample.classes:
            return [{"C": c} for c in (1.0, 0.1, 0.03, 0.01, 0.003, 10.0)]
        return [{"alpha": alpha} for alpha in (1.0, 10.0, 100.0, 0.1, 1000.0)]

    def fit(self, sample: Sample, options: Mapping[str, Any], held_out: Sample | None = None) -> tuple[LinearScorer, int]:
        fill = SimpleImputer(strategy="median", keep_empty_features=True)
        scaler = StandardScaler()
        matrix = scaler.fit_transform(fill.fit_transform(sample.matrix))
        if sample.classes:
            model = built(LogisticRegression, {"max_iter": 2000, **options}, "linear")
        else:
            model = built(Ridge, options, "linear")
        model.fit(matrix, sample.target, sample_weight=sample.weight)
        weights = np.atleast_2d(np.asarray(model.coef_, np.float64))
        bias = np.atleast_1d(np.asarray(model.intercept_, np.float64))
        middle, mean, scale = (np.asarray(part, np.float64) for part in (fill.statistics_, scaler.mean_, scaler.scale_))
        return LinearScorer(middle, mean, scale, weights, bias, "logit" if sample.classes else "value"), 0
