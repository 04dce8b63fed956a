"""Vectors of texts: the directions in which the training rows differ most (principal components), as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from hatrack.tabular.columns.base import Array, Column

__all__ = ["Vector"]


class Vector(Column):
    """A column whose cells are vectors, made of the texts in another one.

    Attributes:
        source: the column of texts.
        center: [d] the mean of the training rows.
        axes: [features][d] directions of length one.
    """

    kind: Literal["vector"] = "vector"
    source: str
    center: tuple[float, ...]
    axes: tuple[tuple[float, ...], ...]

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(f"{self.name} {number}" for number in range(1, len(self.axes) + 1))

    def encode(self, cells: Sequence[Any]) -> Array:
        width = len(self.center)
        if any(self.fault(cell) for cell in cells):
            raise ValueError("a vector of another length")
        full = np.array([np.full(width, np.nan) if cell is None else cell for cell in cells], np.float64).reshape(len(cells), width)
        found: Array = (full - np.asarray(self.center)) @ np.asarray(self.axes, np.float64).reshape(-1, width).T
        return found

    def fault(self, cell: Any) -> str | None:
        if cell is None or (isinstance(cell, list) and len(cell) == len(self.center)):
            return None
        return f"this is no vector of {len(self.center)} numbers"
