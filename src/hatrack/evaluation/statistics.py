"""Honest differences: BCa bootstrap intervals on paired rows, and McNemar's exact test."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

from hatrack.core.errors import EvaluationError
from hatrack.core.lineage import Interval

__all__ = ["bca_interval", "mcnemar_p"]

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
