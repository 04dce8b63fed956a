"""Ensembles of trees as flat arrays: forests and histogram boosting alike, fast for one row and without scikit-learn."""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt

from hatrack.tabular.scorers.arrays import broken, read_arrays, write_arrays
from hatrack.tabular.scorers.base import Array, Link
from hatrack.tabular.scorers.shapley import Paths, shapley_values

__all__ = ["TreeScorer"]

_AT_ONCE = 1_000_000  # pairs of row and tree that walk down together
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class TreeScorer:
    """The sum of the leaves that a row falls into, one of each tree, and ``bias``.

    A row goes left where its feature is at most the threshold; where the feature is NaN, as ``missing_left`` says.

    Attributes:
        roots: [trees] number of each tree's first node
        feature: [nodes] -1 at a leaf
        threshold, cover: [nodes]; ``cover`` is the weight of the training rows that came by
        left, right: [nodes]
        missing_left: [nodes]
        value: [nodes, outputs]
        bias: [outputs]
        width: [1] number of features
        single: [1] features are rounded to 32 bits before they are compared, as scikit-learn's forests do
    """

    roots: Ints
    feature: Ints
    threshold: Array
    left: Ints
    right: Ints
    missing_left: npt.NDArray[np.bool_]
    value: Array
    cover: Array
    bias: Array
    width: Ints
    single: npt.NDArray[np.bool_]
    link: Link
    kind = "trees"

    def margins(self, matrix: Array) -> Array:
        rows = max(1, _AT_ONCE // max(1, len(self.roots)))
        parts = [self._sum(self._as_compared(matrix[start : start + rows])) for start in range(0, len(matrix), rows)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.bias)))

    def contributions(self, matrix: Array) -> tuple[Array, Array]:
        paths = self._paths
        return shapley_values(paths, self._as_compared(matrix), int(self.width[0])), self.bias + paths.mean

    @cached_property
    def _paths(self) -> Paths:
        return Paths.of(self.roots, self.feature, self.threshold, self.left, self.right, self.missing_left, self.value, self.cover)

    def _as_compared(self, matrix: Array) -> Array:
        return matrix.astype(np.float32).astype(np.float64) if self.single[0] else matrix

    def _sum(self, matrix: Array) -> Array:
        walk = _compiled()
        nodes = self._leaves(matrix) if walk is None else walk(matrix, *(getattr(self, name) for name in _WALKED))
        found: Array = self.value[nodes].sum(axis=1) + self.bias
        return found

    def _leaves(self, matrix: Array) -> Ints:
        """``[rows, trees]`` the leaf that a row falls into."""
        nodes = np.tile(self.roots, (len(matrix), 1))
        rows = np.arange(len(matrix))[:, None]
        while (inner := self.feature[nodes] >= 0).any():
            cell = matrix[rows, self.feature[nodes]]
            goes_left = np.where(np.isnan(cell), self.missing_left[nodes], cell <= self.threshold[nodes])
            nodes = np.where(inner, np.where(goes_left, self.left[nodes], self.right[nodes]), nodes)
        return nodes

    def save(self, folder: Path, name: str) -> None:
        write_arrays(folder / f"{name}.safetensors", {field: getattr(self, field) for field in _ARRAYS}, self.link)

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        path = folder / f"{name}.safetensors"
        arrays, link = read_arrays(path, _ARRAYS)
        made = cls(**arrays, link=cast(Link, link))
        inner = made.feature >= 0
        below = np.concatenate([made.left[inner], made.right[inner]])
        parents = np.tile(np.flatnonzero(inner), 2)
        # children stand behind their parents, so that every walk down ends
        if (below <= parents).any() or (below >= len(made.feature)).any() or (made.feature >= made.width[0]).any():
            raise broken(path, "these are no trees")
        return made


_ARRAYS = tuple(field.name for field in fields(TreeScorer) if field.name != "link")
_WALKED = ("roots", "feature", "threshold", "left", "right", "missing_left")


@functools.cache
def _compiled() -> Any:
    """``_walk``, compiled: for one row twenty times faster. None without numba, which only speed asks for."""
    if importlib.util.find_spec("numba") is None:
        return None
    import numba

    return numba.njit(cache=True)(_walk)


def _walk(matrix, roots, feature, threshold, left, right, missing_left):  # type: ignore[no-untyped-def]  # pragma: no cover  # runs compiled
    nodes = np.empty((len(matrix), len(roots)), np.int32)
    for row in range(len(matrix)):
        for tree in range(len(roots)):
            node = roots[tree]
            while feature[node] >= 0:
                cell = matrix[row, feature[node]]
                goes_left = missing_left[node] if np.isnan(cell) else cell <= threshold[node]
                node = left[node] if goes_left else right[node]
            nodes[row, tree] = node
    return nodes
