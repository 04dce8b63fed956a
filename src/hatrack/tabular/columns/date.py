"""Dates: the day as a number, and what repeats: year, month, day, weekday, hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np

from hatrack.tabular.columns.base import Array, Column
from hatrack.tabular.values import time_of

__all__ = ["Date"]

_PARTS = ("days since 1970", "year", "month", "day", "weekday", "hour")
_BEGIN = datetime(1970, 1, 1)


class Date(Column):
    """A column of dates or times."""

    kind: Literal["date"] = "date"

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(f"{self.name}: {part}" for part in _PARTS)

    def encode(self, cells: Sequence[Any]) -> Array:
        return np.array([_parts(time_of(cell)) for cell in cells], np.float64).reshape(len(cells), len(_PARTS))

    def fault(self, cell: Any) -> str | None:
        try:
            time_of(cell)
        except ValueError as error:
            return str(error)
        return None


def _parts(time: datetime | None) -> tuple[float, ...]:
    if time is None:
        return (np.nan,) * len(_PARTS)
    days = (time - _BEGIN).total_seconds() / 86400
    return (days, time.year, time.month, time.day, time.weekday(), time.hour + time.minute / 60)
