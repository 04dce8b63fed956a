"""Tests of whether two samples come from the same source, and sizes of the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["adjusted", "centroid_test", "chi_squared", "ks_test", "psi", "psi_of_counts"]

_BINS = 10
_FEWEST = 5  # expected count from which chi-squared holds (Cochran)
_PERMUTATIONS = 1999
_LEAST_SHARE = 1e-4  # an empty bin would make the PSI infinite

Values = NDArray[np.float64]


def ks_test(reference: Values, window: Values) -> tuple[float, float]:
    """Two-sample Kolmogorov-Smirnov: the largest distance of the distributions, and its p-value."""
    found = stats.ks_2samp(reference, window)
    return float(found.statistic), float(found.pvalue)


def chi_squared(reference: Mapping[str, int], window: Mapping[str, int]) -> tuple[float, float]:
    """Homogeneity of two counts: the statistic and its p-value. Rare categories are taken together; 1 where one is left."""
    names = sorted({*reference, *window}, key=lambda name: (-reference.get(name, 0) - window.get(name, 0), name))
    table = np.array([[counts.get(name, 0) for name in names] for counts in (reference, window)], float)
    total = table.sum()
    if total == 0 or (table.sum(axis=1) == 0).any():
        return 0.0, 1.0
    expected = table.sum(axis=0) * table.sum(axis=1).min() / total
    common = expected >= _FEWEST
    kept = np.column_stack([table[:, common], table[:, ~common].sum(axis=1)]) if (~common).any() else table
    kept = kept[:, kept.sum(axis=0) > 0]
    if kept.shape[1] < 2:
        return 0.0, 1.0
    if kept.shape[1] == 2:
        return 0.0, float(stats.fisher_exact(kept).pvalue)
    found = stats.chi2_contingency(kept)
    return float(found.statistic), float(found.pvalue)


def centroid_test(reference: NDArray[np.float32], window: NDArray[np.float32], seed: int) -> tuple[float, float]:
    """Distance of the centroids of two samples ``[n, d]``, and the share of random divisions where it is as large.

    A permutation test: exact for any distribution of embeddings, and blind to nothing that moves their mean.
    """
    rng = np.random.default_rng(seed)
    both = np.concatenate([reference, window])
    n, m = len(reference), len(window)
    total = both.sum(axis=0)
    observed = float(np.linalg.norm(reference.mean(axis=0) - window.mean(axis=0)))
    window_or_not = (np.arange(n + m) < m).astype(np.float32)
    sums = rng.permuted(np.tile(window_or_not, (_PERMUTATIONS, 1)), axis=1) @ both
    distances = np.linalg.norm(sums / m - (total - sums) / n, axis=1)
    return observed, float((1 + (distances >= observed - 1e-9).sum()) / (_PERMUTATIONS + 1))


def psi(reference: Values, window: Values) -> float:
    """Population stability index over the deciles of the reference: under 0.1 little, over 0.25 much."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, _BINS + 1)[1:-1]))
    binned = [np.bincount(np.searchsorted(edges, values, "right"), minlength=len(edges) + 1) for values in (reference, window)]
    counts = [{str(place): int(count) for place, count in enumerate(row)} for row in binned]
    return psi_of_counts(*counts)


def psi_of_counts(reference: Mapping[str, int], window: Mapping[str, int]) -> float:
    """The same over categories."""
    names = sorted({*reference, *window})
    shares = [np.array([counts.get(name, 0) for name in names], float) for counts in (reference, window)]
    before, now = (np.maximum(share / max(1.0, share.sum()), _LEAST_SHARE) for share in shares)
    return float(((now - before) * np.log(now / before)).sum())


def adjusted(p_values: Sequence[float], correction: str) -> list[float]:
    """p-values corrected for being many: ``holm`` (1979) or ``bh`` (Benjamini and Hochberg 1995)."""
    values = np.array(p_values)
    if correction == "bh":
        return [float(p) for p in stats.false_discovery_control(values)]
    order = np.argsort(values)
    out = np.empty(len(values))
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        out[place] = largest
    return [float(p) for p in out]
