"""Numbers: themselves, and whether they are missing where that happened in training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from hatrack.tabular.columns.base import Array, Column
from hatrack.tabular.values import number_of

__all__ = ["Number"]


class Number(Column):
    """A column of numbers.

    Attributes:
        flagged: a second feature says where the number is missing.
        seen: values at even ranks of the training rows, ascending.
    """

    kind: Literal["number"] = "number"
    flagged: bool
    seen: tuple[float, ...]

    @property
    def features(self) -> tuple[str, ...]:
        return (self.name, f"{self.name} is missing") if self.flagged else (self.name,)

    def encode(self, cells: Sequence[Any]) -> Array:
        values = np.array([number_of(cell) for cell in cells], np.float64)
        return np.column_stack([values, np.isnan(values)]) if self.flagged else values[:, None]

    def fault(self, cell: Any) -> str | None:
        try:
            return "this is infinite" if math.isinf(number_of(cell)) else None
        except ValueError as error:
            return str(error)

    def note(self, cell: Any) -> str | None:
        value = number_of(cell)
        if math.isnan(value) or not self.seen or self.seen[0] <= value <= self.seen[-1]:
            return None
        return f"outside what was seen in training, {self.seen[0]:g} to {self.seen[-1]:g}"

    def alternatives(self) -> tuple[Any, ...]:
        return self.seen
