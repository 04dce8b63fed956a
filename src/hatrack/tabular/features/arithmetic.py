"""Columns from one or two numbers of the same row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hatrack.core.config_tables import TableFeature
from hatrack.tabular.features.cells import numbers_in
from hatrack.tabular.table import Table

__all__ = ["Difference", "Log", "Ratio"]


def _plain(values: npt.NDArray[np.float64]) -> list[Any]:
    return [float(value) if np.isfinite(value) else None for value in values]


class _OfTwo:
    def check(self, recipe: TableFeature) -> str | None:
        return None if len(recipe.of) == 2 else "`of` with two columns"

    def values(self, recipe: TableFeature, table: Table, before: Table) -> list[Any]:
        first, second = (numbers_in(table, column) for column in recipe.of)
        with np.errstate(divide="ignore", invalid="ignore"):
            return _plain(self._of(first, second))

    def _of(self, first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        raise NotImplementedError


class Ratio(_OfTwo):
    """The first column divided by the second; nothing where that is zero."""

    def _of(self, first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return first / second


class Difference(_OfTwo):
    """The first column minus the second."""

    def _of(self, first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return first - second


class Log:
    """log(1 + x), with the sign of x: sums of money on a scale that a linear model can use."""

    def check(self, recipe: TableFeature) -> str | None:
        return None if len(recipe.of) == 1 else "`of` with one column"

    def values(self, recipe: TableFeature, table: Table, before: Table) -> list[Any]:
        value = numbers_in(table, recipe.of[0])
        return _plain(np.sign(value) * np.log1p(np.abs(value)))
