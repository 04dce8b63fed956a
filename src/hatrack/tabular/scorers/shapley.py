"""Exact SHAP values of trees, path by path.

A leaf of value v counts for a coalition S of features as v Π_{i in S} o_i Π_{i not in S} z_i: o_i is whether the row obeys
all splits on feature i along the leaf's path, z_i the share of training rows that do (Lundberg et al. 2020, the
path-dependent expectation). The weights of coalitions are a beta integral, so that

    φ_i = v (o_i - z_i) ∫₀¹ Π_{j≠i} (z_j (1 - t) + o_j t) dt

and the integrand is a polynomial: Gauss-Legendre quadrature with half as many nodes as the path has features is exact.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hatrack.core.extras import require

__all__ = ["Paths", "shapley_values"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Paths:
    """One path for each leaf, its splits merged by feature; shorter paths are filled up.

    Attributes:
        feature: [paths, depth] 0 where there is none
        low, high: [paths, depth] the row obeys where low < x <= high
        missing: [paths, depth] it obeys where x is NaN
        share: [paths, depth] of training rows that obey, 1 where there is no feature
        size: [paths] how many features it has
        value: [paths, outputs]
        mean: [outputs] the mean over training rows
    """

    feature: npt.NDArray[np.int64]
    low: Array
    high: Array
    missing: npt.NDArray[np.bool_]
    share: Array
    size: npt.NDArray[np.int64]
    value: Array
    mean: Array

    @classmethod
    def of(cls, roots: Any, feature: Any, threshold: Any, left: Any, right: Any, missing_left: Any, value: Array, cover: Array) -> Self:
        """The paths of trees as ``TreeScorer`` keeps them."""
        found: list[tuple[int, dict[int, tuple[float, float, bool, float]]]] = []
        stack: list[tuple[int, dict[int, tuple[float, float, bool, float]]]] = [(int(root), {}) for root in roots]
        while stack:
            node, splits = stack.pop()
            split_by = int(feature[node])
            if split_by < 0:
                found.append((node, splits))
                continue
            low, high, missing, share = splits.get(split_by, (-np.inf, np.inf, True, 1.0))
            at, goes_left = float(threshold[node]), bool(missing_left[node])
            for child, bounds in (
                (int(left[node]), (low, min(high, at), missing and goes_left)),
                (int(right[node]), (max(low, at), high, missing and not goes_left)),
            ):
                stack.append((child, {**splits, split_by: (*bounds, share * float(cover[child] / cover[node]))}))
        depth = max((len(splits) for _, splits in found), default=0) or 1
        nothing = (0, -np.inf, np.inf, True, 1.0)
        rows = [[*((f, *s) for f, s in splits.items()), *[nothing] * (depth - len(splits))] for _, splits in found]
        table = np.array(rows, np.float64).reshape(len(found), depth, 5)
        leaves = value[[node for node, _ in found]]
        shares, sizes = table[:, :, 4], np.array([len(splits) for _, splits in found])
        of, lows, highs, empty = (table[:, :, part] for part in range(4))
        return cls(of.astype(np.int64), lows, highs, empty > 0, shares, sizes, leaves, shares.prod(axis=1) @ leaves)


def shapley_values(paths: Paths, matrix: Array, width: int) -> Array:
    """``[rows, outputs, width]`` for rows of ``width`` features.

    Raises:
        MissingExtra: numba, which compiles the loop, is not installed.
    """
    found = np.zeros((len(matrix), paths.value.shape[1], width))
    _compiled()(matrix, *(getattr(paths, name) for name in _ORDER), *_quadrature(paths.feature.shape[1]), found)
    return found


@functools.cache
def _quadrature(depth: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss-Legendre on 0 to 1: row n holds the rule with n nodes."""
    most = (depth + 1) // 2
    points, weights = np.zeros((most + 1, most)), np.zeros((most + 1, most))
    for n in range(1, most + 1):
        at, weight = np.polynomial.legendre.leggauss(n)
        points[n, :n], weights[n, :n] = (at + 1) / 2, weight / 2
    return points, weights


@functools.cache
def _compiled() -> Any:
    numba = require("numba", extra="tables", reason="explaining trees")
    return numba.njit(cache=True)(_add_all)


_ORDER = ("feature", "low", "high", "missing", "share", "size", "value")


def _add_all(  # type: ignore[no-untyped-def]  # numba finds the types
    matrix, feature, low, high, missing, share, size, value, points, weights, found
):  # pragma: no cover  # runs compiled
    outputs = value.shape[1]
    product = np.empty(points.shape[1])
    obeys = np.empty(feature.shape[1])
    for row in range(len(matrix)):
        for path in range(len(feature)):
            depth = size[path]
            n = (depth + 1) // 2
            product[:n] = 1.0
            for j in range(depth):
                cell = matrix[row, feature[path, j]]
                inside = missing[path, j] if np.isnan(cell) else low[path, j] < cell <= high[path, j]
                obeys[j] = 1.0 if inside else 0.0
                for q in range(n):
                    product[q] *= share[path, j] * (1 - points[n, q]) + obeys[j] * points[n, q]
            for j in range(depth):
                integral = 0.0
                for q in range(n):
                    integral += weights[n, q] * product[q] / (share[path, j] * (1 - points[n, q]) + obeys[j] * points[n, q])
                part = (obeys[j] - share[path, j]) * integral
                for output in range(outputs):
                    found[row, output, feature[path, j]] += part * value[path, output]
