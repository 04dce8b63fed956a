"""What would change the decision: the fewest columns, each moved to a value that training has seen, as little as possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hatrack.tabular.columns.number import Number
from hatrack.tabular.encoding import AnyColumn
from hatrack.tabular.model import TableModel
from hatrack.tabular.table import Table
from hatrack.tabular.values import level_of, number_of, shown

__all__ = ["Change", "counterfactuals"]

_MOST_CHANGES = 3


@dataclass(frozen=True)
class Change:
    """One column's value now, and the one that it would need."""

    column: str
    now: str
    instead: str


def counterfactuals(model: TableModel, table: Table, *, most: int = 3) -> list[list[tuple[Change, ...]]]:
    """For each row up to ``most`` sets of changes after which another class is chosen; the smallest first.

    Sets of one column come first. Where none is enough, the change that goes furthest is kept and the next one looked
    for, up to three. Columns that the model's card calls fixed stay as they are, and so do computed ones: nobody can
    change a ratio without its parts. Regression has no decision, so it has none.
    """
    decision = model.card.decision
    if decision is None:
        return [[] for _ in table.numbers]
    return [_of_row(model, table.take([place]), most) for place in range(len(table))]


def _of_row(model: TableModel, row: Table, most: int) -> list[tuple[Change, ...]]:
    encoded = model.matrix(row)
    before = int(_chosen(model, encoded)[0])
    done: list[tuple[Change, ...]] = []
    kept: tuple[Change, ...] = ()
    while len(kept) < _MOST_CHANGES and not done:
        candidates = list(_candidates(model, row, encoded, {change.column for change in kept}))
        if not candidates:
            break
        matrix = np.vstack([changed for _, _, changed in candidates])
        flips = _chosen(model, matrix) != before
        best: dict[str, tuple[float, Change]] = {}
        for (change, distance, _), flipped in zip(candidates, flips, strict=True):
            if flipped and (change.column not in best or distance < best[change.column][0]):
                best[change.column] = (distance, change)
        done = [(*kept, change) for _, change in sorted(best.values(), key=lambda pair: pair[0])[:most]]
        if not done:
            # how far each goes towards another class; distance decides nothing as long as nothing is enough
            furthest = int(_held(model, matrix, before).argmin())
            kept = (*kept, candidates[furthest][0])
            encoded = candidates[furthest][2]
    return done


def _candidates(model: TableModel, row: Table, encoded: np.ndarray, taken: set[str]) -> Iterator[tuple[Change, float, np.ndarray]]:
    """Single changes, how far each is (0 to 1), and the row after it."""
    made = {*model.made, *(recipe.name for recipe in model.card.recipes)}
    sources = {name for recipe in model.card.recipes for name in (*recipe.of, recipe.by, recipe.time) if name}
    locked = {*model.card.fixed, *made, *sources, *(reading.column for reading in model.card.readings), *taken}
    owner = model.card.encoding.owner
    for number, column in enumerate(model.card.encoding.columns):
        if column.name in locked:
            continue
        now = row.columns[column.name][0]
        for instead in column.alternatives():
            if level_of(instead) == level_of(now):
                continue
            changed = encoded.copy()
            changed[:, owner == number] = column.encode([instead])
            yield Change(column.name, shown(now), shown(instead)), _distance(column, now, instead), changed


def _distance(column: AnyColumn, now: Any, instead: Any) -> float:
    """Numbers: the share of training rows between the two. Levels: all equally far, as far as half the rows."""
    if not isinstance(column, Number):
        return 0.5
    value = number_of(now)
    if np.isnan(value):
        return 0.5
    low, high = sorted((value, float(instead)))
    places = np.searchsorted(column.seen, [low, high])
    return float((places[1] - places[0]) / max(1, len(column.seen)))


def _chosen(model: TableModel, matrix: np.ndarray) -> np.ndarray:
    chosen = model.judge(matrix).chosen
    return np.zeros(len(matrix), int) if chosen is None else chosen


def _held(model: TableModel, matrix: np.ndarray, label: int) -> np.ndarray:
    """Probability that still stands for the class."""
    probabilities = model.judge(matrix).probabilities
    return np.zeros(len(matrix)) if probabilities is None else probabilities[:, label]
