"""Calibration: does a system that says 80 % come true in 80 of 100 cases?"""

from __future__ import annotations

import numpy as np

from hatrack.evaluation.metrics.base import Answers, Rows

__all__ = ["CalibrationError"]

_BINS = 10


class CalibrationError:
    """Expected calibration error (Guo et al. 2017): |accuracy - confidence| in ten equal bins, weighted by their rows.

    Lower is better, 0 is best. With few rows it is biased upwards: the noise of each bin counts as error.
    """

    name = "ece"
    right_or_wrong = False
    higher_is_better = False

    def applies(self, answers: Answers) -> bool:
        return answers.confidences is not None

    def rows(self, answers: Answers) -> Rows:
        if answers.confidences is None:
            raise ValueError("this metric does not apply to these answers")  # callers ask `applies` first
        right = np.array([g == e for g, e in zip(answers.given, answers.expected, strict=True)], float)
        return np.column_stack([np.asarray(answers.confidences, float), right])

    def total(self, rows: Rows) -> float:
        confidence, right = rows[:, 0], rows[:, 1]
        bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
        gaps = np.bincount(bins, weights=right - confidence, minlength=_BINS)
        return float(np.abs(gaps).sum() / len(rows))
