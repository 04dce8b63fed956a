"""The area under the ROC curve with its covariance: DeLong et al. 1988, by mid-ranks as in Sun and Xu 2014."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from hatrack.core.errors import EvaluationError
from hatrack.core.lineage import Interval

__all__ = ["auc_difference", "auc_interval"]

Array = npt.NDArray[np.float64]


def auc_interval(truth: Array, score: Array, confidence: float) -> tuple[float, Interval]:
    """The AUC of one system and its interval; ``truth [rows]`` is 0 or 1.

    The interval is that of the logit, so that it stays between 0 and 1.

    Raises:
        EvaluationError: fewer than two rows of a class.
    """
    auc, covariance = _placements(truth, score[None])
    value, deviation = float(auc[0]), float(np.sqrt(covariance[0, 0]))
    if not 0 < value < 1:
        return value, Interval(low=value, high=value, confidence=confidence)
    middle, half = np.log(value / (1 - value)), _z(confidence) * deviation / (value * (1 - value))
    low, high = (1 / (1 + np.exp(-(middle + side * half))) for side in (-1, 1))
    return value, Interval(low=float(low), high=float(high), confidence=confidence)


def auc_difference(truth: Array, ours: Array, theirs: Array, confidence: float) -> tuple[float, Interval]:
    """Our AUC minus theirs on the same rows, with the interval of that paired difference.

    Raises:
        EvaluationError: fewer than two rows of a class.
    """
    auc, covariance = _placements(truth, np.stack([ours, theirs]))
    difference = float(auc[0] - auc[1])
    half = _z(confidence) * float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
    return difference, Interval(low=difference - half, high=difference + half, confidence=confidence)


def _placements(truth: Array, scores: Array) -> tuple[Array, Array]:
    positive, negative = scores[:, truth == 1], scores[:, truth != 1]
    m, n = positive.shape[1], negative.shape[1]
    if min(m, n) < 2:
        raise EvaluationError("an AUC needs rows of both classes", given=f"{m} positive, {n} negative", allowed="at least 2 of each")
    rank = stats.rankdata
    among_all = rank(np.hstack([positive, negative]), axis=1)
    above = (among_all[:, :m] - rank(positive, axis=1)) / n  # [systems, positives] share of negatives that each is above
    below = 1 - (among_all[:, m:] - rank(negative, axis=1)) / m
    covariance = np.atleast_2d(np.cov(above)) / m + np.atleast_2d(np.cov(below)) / n
    return above.mean(axis=1), covariance


def _z(confidence: float) -> float:
    return float(stats.norm.ppf((1 + confidence) / 2))
