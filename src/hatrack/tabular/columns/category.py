"""Categories: one feature for each level that occurs often enough, one for all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from hatrack.tabular.columns.base import Array, Column
from hatrack.tabular.values import level_of, shown

__all__ = ["MISSING", "OTHER", "Category"]

OTHER = "(other)"
MISSING = "(missing)"


class Category(Column):
    """A column of levels.

    Attributes:
        levels: those with a feature of their own. ``(missing)`` is one where cells were missing in training, ``(other)``
            stands for rare levels and for those that training never saw.
    """

    kind: Literal["category"] = "category"
    levels: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(f"{self.name} = {level}" for level in self.levels)

    def encode(self, cells: Sequence[Any]) -> Array:
        place = {level: i for i, level in enumerate(self.levels)}
        other = place.get(OTHER, -1)
        found = np.zeros((len(cells), len(self.levels)))
        for row, cell in enumerate(cells):
            level = level_of(cell)
            column = place.get(MISSING, -1) if level is None else place.get(level, other)
            if column >= 0:  # else all zero: nothing that was ever seen
                found[row, column] = 1.0
        return found

    def fault(self, cell: Any) -> str | None:
        return "a list or an object cannot be a category" if isinstance(cell, list | dict) else None

    def note(self, cell: Any) -> str | None:
        level = level_of(cell)
        known = MISSING if level is None else level
        if known in self.levels:
            return None
        how = f"taken as {OTHER}" if OTHER in self.levels and level is not None else "no level of it counts"
        return "was never missing in training; no level of it counts" if level is None else f"{shown(cell)!r} was not seen often; {how}"

    def alternatives(self) -> tuple[Any, ...]:
        return tuple(level for level in self.levels if level not in (OTHER, MISSING))
