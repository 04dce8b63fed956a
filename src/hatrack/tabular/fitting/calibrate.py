"""The curve from margins to probabilities, fitted on held-out rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from hatrack.tabular.calibration import Calibration
from hatrack.tabular.scorers.base import Array

__all__ = ["fit_calibration"]


def fit_calibration(kind: str, margins: Array, link: str, target: npt.NDArray[np.float64]) -> Calibration:
    """A calibration of ``kind`` (auto: sigmoid), from margins ``[rows, outputs]`` of rows the model had not seen."""
    if kind == "none":
        return Calibration()
    if margins.shape[1] > 1:
        logits = np.log(np.clip(margins, 1e-6, None)) if link == "probability" else margins
        rows, truth = np.arange(len(target)), target.astype(int)

        def loss(slope: float) -> float:
            return float(np.mean(logsumexp(slope * logits, axis=1) - slope * logits[rows, truth]))

        return Calibration(kind="sigmoid", slope=float(minimize_scalar(loss, bounds=(0.01, 20), method="bounded").x))
    margin = margins[:, 0]
    if kind == "isotonic":
        curve = IsotonicRegression(out_of_bounds="clip").fit(margin, target)
        return Calibration(kind="isotonic", xs=tuple(map(float, curve.X_thresholds_)), ys=tuple(map(float, curve.y_thresholds_)))
    spread = max(float(margin.std()), 1e-9)
    curve = LogisticRegression(C=1e6).fit(margin[:, None] / spread, target)
    slope = float(curve.coef_[0, 0]) / spread
    if slope <= 0:  # a model no better than chance: the commonness of the class is all that is known
        share = float(np.clip(target.mean(), 1e-6, 1 - 1e-6))
        return Calibration(kind="sigmoid", slope=0.0, shift=float(np.log(share / (1 - share))))
    return Calibration(kind="sigmoid", slope=slope, shift=float(curve.intercept_[0]))
