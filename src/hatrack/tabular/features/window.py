"""What happened before, by key: aggregations over a window, and the time since the last row. Only strictly earlier rows count.

Rows of the same moment do not see each other: which of them came first is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from hatrack.core.config_tables import TableFeature
from hatrack.tabular.features.cells import numbers_in, seconds_in
from hatrack.tabular.table import Table
from hatrack.tabular.values import level_of

__all__ = ["SinceLast", "Window"]

_DAY = 86400.0
Array = npt.NDArray[np.float64]
_TAKEN: dict[str, Callable[[Array], Any]] = {"mean": np.mean, "min": np.min, "max": np.max, "std": np.std}


class Window:
    """Count, sum, mean, min, max or standard deviation over the earlier rows of the same key."""

    def check(self, recipe: TableFeature) -> str | None:
        if not recipe.by or not recipe.time:
            return "`by` (whose rows belong together) and `time` (what orders them)"
        if recipe.take != "count" and len(recipe.of) != 1:
            return "`of` with one column, or take: count"
        return None

    def values(self, recipe: TableFeature, table: Table, before: Table) -> list[Any]:
        new = len(table)
        of = recipe.of[0] if recipe.of else None
        amount = np.concatenate([numbers_in(part, of) for part in (table, before)]) if of else np.zeros(new + len(before))
        found: list[Any] = [None] * new
        for rows, times in _by_key(recipe, table, before):
            begin = np.searchsorted(times, times - recipe.days * _DAY, "left") if recipe.days else np.zeros(len(times), int)
            for row, start, end in zip(rows, begin, np.searchsorted(times, times, "left"), strict=True):
                if row < new:
                    found[row] = _taken(recipe.take, amount[rows[start:end]])
        return found


class SinceLast:
    """Days since the row before, of the same key; nothing for the first."""

    def check(self, recipe: TableFeature) -> str | None:
        return None if recipe.by and recipe.time else "`by` (whose rows belong together) and `time` (what orders them)"

    def values(self, recipe: TableFeature, table: Table, before: Table) -> list[Any]:
        found: list[Any] = [None] * len(table)
        for rows, times in _by_key(recipe, table, before):
            for row, time, end in zip(rows, times, np.searchsorted(times, times, "left"), strict=True):
                if row < len(table) and end:
                    found[row] = float((time - times[end - 1]) / _DAY)
        return found


def _by_key(recipe: TableFeature, table: Table, before: Table) -> Iterator[tuple[npt.NDArray[np.int64], Array]]:
    """For each key its rows in order of time, and their times; rows of ``before`` are numbered behind those of ``table``."""
    key, time = str(recipe.by), str(recipe.time)
    keys = [level_of(cell) for part in (table, before) for cell in part.columns[key]]
    times = np.concatenate([seconds_in(part, time) for part in (table, before)])
    members: dict[str, list[int]] = {}
    for row, (name, moment) in enumerate(zip(keys, times, strict=True)):
        if name is not None and not np.isnan(moment):  # without a key or a time nothing is before it
            members.setdefault(name, []).append(row)
    for rows in members.values():
        order = np.array(rows)[np.argsort(times[rows], kind="stable")]
        yield order, times[order]


def _taken(take: str, values: Array) -> float | None:
    if take == "count":
        return float(len(values))
    known = values[~np.isnan(values)]
    if take == "sum":
        return float(known.sum())
    if not len(known):
        return None
    return float(_TAKEN[take](known))
