"""Columns of cells as arrays, with the row and column of what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from hatrack.tabular.table import Table
from hatrack.tabular.values import number_of, shown, time_of

__all__ = ["numbers_in", "seconds_in"]

T = TypeVar("T")


def numbers_in(table: Table, column: str) -> npt.NDArray[np.float64]:
    """[rows], NaN where nothing stands. Raises ValueError with row and column."""
    return np.array(_each(table, column, number_of), np.float64)


def seconds_in(table: Table, column: str) -> npt.NDArray[np.float64]:
    """[rows] seconds since the year 1, or the number itself where the column holds numbers. Raises as ``numbers_in``."""
    return np.array(_each(table, column, _seconds), np.float64)


def _seconds(cell: Any) -> float:
    try:
        return number_of(cell) * 86400  # a time given as a number counts days
    except ValueError:
        time = time_of(cell)
    return np.nan if time is None else (time - time.min).total_seconds()


def _each(table: Table, column: str, read: Callable[[Any], T]) -> list[T]:
    found = []
    for number, cell in zip(table.numbers, table.columns[column], strict=True):
        try:
            found.append(read(cell))
        except ValueError as error:
            raise ValueError(f"row {number}, column {column}: {error} ({shown(cell)})") from error
    return found
