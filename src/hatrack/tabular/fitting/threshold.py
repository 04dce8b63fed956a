"""Where to cut: the threshold with the least cost on rows the model has not seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hatrack.tabular.scorers.base import Array

__all__ = ["best_threshold", "cheapest", "indifferent"]

_RESAMPLES = 200


def best_threshold(positive: Array, target: npt.NDArray[np.int64], costs: tuple[tuple[float, ...], ...] | None, seed: int) -> float:
    """The mean of the cheapest thresholds of resampled rows.

    The cheapest threshold of the rows themselves hangs on a handful of them; the mean over resamples (bagging, Breiman
    1996) stands more firmly, and costs less on other rows.

    Args:
        positive: [rows] probability of the positive class, of rows the model has not seen.
        target: [rows] 0 or 1.
        costs: [true][chosen]; None: every error counts the same.
    """
    rng = np.random.default_rng(seed)
    draws = (rng.integers(0, len(target), len(target)) for _ in range(_RESAMPLES))
    return float(np.mean([cheapest(positive[rows], target[rows], costs) for rows in draws]))


def indifferent(costs: tuple[tuple[float, ...], ...] | None) -> float:
    """The probability at which both choices cost the same, if it is right: one half where every error counts the same."""
    if costs is None:
        return 0.5
    wrongly_chosen, wrongly_left = costs[0][1] - costs[0][0], costs[1][0] - costs[1][1]
    return wrongly_chosen / (wrongly_chosen + wrongly_left) if wrongly_chosen + wrongly_left > 0 else 0.5


def cheapest(positive: Array, target: npt.NDArray[np.int64], costs: tuple[tuple[float, ...], ...] | None) -> float:
    """The threshold with the least total cost (without ``costs``: the fewest errors) on rows the model has not seen.

    Half-way between the two probabilities it divides, so that neither side hangs on a rounding.

    Args:
        positive: [rows] probability of the positive class.
        target: [rows] 0 or 1.
    """
    costs = costs or ((0.0, 1.0), (1.0, 0.0))
    order = np.argsort(-positive, kind="stable")
    values, truth = positive[order], target[order]
    # cost of choosing "positive" for the first k rows, for every k
    gain = np.where(truth == 1, costs[1][1] - costs[1][0], costs[0][1] - costs[0][0])
    total = np.concatenate([[0.0], np.cumsum(gain)])
    ends = np.concatenate([[True], values[1:] != values[:-1], [True]])  # equal probabilities stay together
    k = int(np.flatnonzero(ends)[total[ends].argmin()])
    above, below = values[k - 1] if k else 1.0, values[k] if k < len(values) else 0.0
    return float((above + below) / 2)
