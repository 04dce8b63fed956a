"""From margins to probabilities that mean what they say, by a curve that was fitted on rows the model had not seen."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.special import expit, softmax

from hatrack.tabular.scorers.base import Array, Link

__all__ = ["Calibration"]

_LEAST = 1e-6  # no probability is 0 or 1: a log loss of infinity says nothing


class Calibration(BaseModel):
    """How margins become probabilities.

    Attributes:
        kind: ``none``; ``sigmoid``: p = 1 / (1 + exp(-(slope · margin + shift))), Platt 1999, for more than two classes a
            softmax of ``slope`` · margin; ``isotonic``: straight lines between the points ``xs``, ``ys``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["none", "sigmoid", "isotonic"] = "none"
    slope: float = 1.0
    shift: float = 0.0
    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()

    def probabilities(self, margins: Array, link: Link) -> Array:
        """``[rows, outputs]`` to ``[rows, classes]``: two for one output."""
        if margins.shape[1] > 1:
            return self._of_many(margins, link)
        margin = margins[:, 0]
        if self.kind == "sigmoid":
            positive = expit(self.slope * margin + self.shift)
        elif self.kind == "isotonic":
            positive = np.interp(margin, self.xs, self.ys)
        else:
            positive = margin if link == "probability" else expit(margin)
        positive = np.clip(positive, _LEAST, 1 - _LEAST)
        return np.column_stack([1 - positive, positive])

    def _of_many(self, margins: Array, link: Link) -> Array:
        logits = np.log(np.clip(margins, _LEAST, None)) if link == "probability" else margins
        found: Array = softmax(self.slope * logits, axis=1)
        return found
