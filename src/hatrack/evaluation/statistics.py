"""Honest differences: BCa bootstrap intervals on paired rows, exact and permutation tests, correction for many of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

from hatrack.core.errors import EvaluationError
from hatrack.core.lineage import Interval

__all__ = ["bca_interval", "group_p", "holm", "mcnemar_p", "permutation_p"]

RESAMPLES = 2000

Array = npt.NDArray[np.float64]


def bca_interval(total: Callable[[Array], float], rows: Array, confidence: float, seed: int) -> Interval:
    """Bias-corrected and accelerated bootstrap interval of ``total`` over ``rows [n, k]`` (Efron 1987).

    Rows are resampled whole: where they hold both systems' results, the interval is that of the paired difference.
    Where all resamples agree, the interval has no width.

    Raises:
        EvaluationError: fewer than two rows.
    """
    n = len(rows)
    if n < 2:
        raise EvaluationError("an interval needs rows to resample", given=f"{n} test rows", allowed="at least 2; 100 say something")
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # both lead to the NaN that is handled below
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = stats.bootstrap(
            (np.arange(n),),
            lambda chosen: total(rows[chosen]),
            vectorized=False,
            n_resamples=RESAMPLES,
            confidence_level=confidence,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    if np.isnan(low) or np.isnan(high):  # every resample, or every row left out, gives the same figure
        point = total(rows)
        return Interval(low=point, high=point, confidence=confidence)
    return Interval(low=float(low), high=float(high), confidence=confidence)


def mcnemar_p(a: Array, b: Array) -> float:
    """Two-sided exact McNemar test on right-or-wrong results of the same rows; 1 when they never disagree."""
    only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    if only_a + only_b == 0:
        return 1.0
    return float(stats.binomtest(only_a, only_a + only_b, 0.5).pvalue)


def permutation_p(total: Callable[[Array], float], ours: Array, theirs: Array, seed: int, draws: int = 2000) -> float:
    """Two-sided p-value of the difference of ``total`` between two systems on the same rows ``[n, k]``.

    Approximate randomisation (Noreen 1989): under the null hypothesis it does not matter which system gave which of the
    two results of a row, so they change places at random. The observed labelling counts as one of the draws.
    """
    observed = abs(total(ours) - total(theirs))
    rng = np.random.default_rng(seed)
    extreme = 1
    for _ in range(draws):
        swap = rng.random(len(ours)) < 0.5
        mixed, other = np.where(swap[:, None], theirs, ours), np.where(swap[:, None], ours, theirs)
        extreme += abs(total(mixed) - total(other)) >= observed - 1e-12
    return extreme / (draws + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number so that the chance of any false alarm is kept (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def group_p(total: Callable[[Array], float], rows: Array, inside: npt.NDArray[np.bool_], seed: int, draws: int = 500) -> float:
    """Two-sided p-value of the difference of ``total`` between the rows ``inside`` a group and the others.

    Under the null hypothesis any rows could be the group; 1 where one of the two is empty.
    """
    if inside.all() or not inside.any():
        return 1.0
    observed = abs(total(rows[inside]) - total(rows[~inside]))
    rng = np.random.default_rng(seed)
    extreme = 1
    for _ in range(draws):
        drawn = rng.permutation(inside)
        extreme += abs(total(rows[drawn]) - total(rows[~drawn])) >= observed - 1e-12
    return extreme / (draws + 1)
