"""Rows as whole numbers, in the order in which they are multiplied: 8 bits for each number, 15 for the six largest of its row.

A few numbers of a row, always in other places, are ten or a hundred times as large as the rest; with one step for all, the
rest is rounded away (LLM.int8(), Dettmers et al. 2022). So the step is that of the seventh largest, and each of the six outliers
is ``128 high + low``: ``low`` lies among the row's other numbers, ``high`` beside it with its place, in the row's ``head``.

    x [rows, d_in] ─┬─► low  int8, in panels [16 rows: d_in / 4, 16, 4]
                    └─► head int32 [rows, HEAD]: see ``vnni``

Where more than three outliers are in one lane, which takes every sixteenth number, the step is that of the fourth.

Some columns are large in most rows, and what 8 bits leave of their weights (``bytes``) matters too; a row's numbers in these
fine columns are kept a second time, with a step of their own.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.lanes import load, load_few, multiply_add, none, put_bytes, round_even, spread, total
from hatrack.serving.kernels.ranking import TAG, lane_of, larger, largest, ranked, replaced, smaller
from hatrack.serving.kernels.vectors import LANES
from hatrack.serving.kernels.vnni import (
    BEGIN,
    BEGIN_FINE,
    BEGIN_OUTLIERS,
    CELL,
    FINE,
    FINE_AT,
    HEAD,
    MIDDLE,
    OUTLIERS,
    OUTLIERS_AT,
    ROWS,
    SHIFT,
    STEP,
    STEP_FINE,
)

__all__ = ["FINER", "LEAST", "TOP", "panels_of", "tile_rows"]

TOP = 127  # largest magnitude of a number that is no outlier
FINER = 254  # steps of a fine column's rest in one step of its weight, which is at most half a step
_HIGH = np.float32(1 << SHIFT)
_INFINITE = 0x7F800000  # bits of infinity; what is no number has larger ones
LEAST = np.float32(1e-30)  # a step whose inverse is a number


@compiled(parallel=True)
def panels_of(x: np.ndarray, fine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``[rows, d_in]`` float32 as the panels, ``[rows, numbers]`` int8, and the heads; see the module.

    Args:
        fine: ``[FINE]``, the fine columns.
    """
    n, d_in = x.shape
    size, blocks = (d_in + LANES - 1) // LANES * LANES, (n + ROWS - 1) // ROWS
    panels, heads = np.zeros((blocks * ROWS, size), np.int8), np.zeros((blocks * ROWS, HEAD), np.int32)
    flat = panels.reshape(panels.size)
    if n <= ROWS:  # less than what it takes to tell another thread of it
        for r in range(n):
            _round_row(x[r], flat, r * CELL, tile_rows(n) * CELL, fine, heads[r])
    else:
        for r in prange(n):
            first = r // ROWS * ROWS
            _round_row(x[r], flat, first * size + (r - first) * CELL, tile_rows(n - first) * CELL, fine, heads[r])
    return panels, heads


@compiled(parallel=False)
def tile_rows(rows: int) -> int:
    """The smallest tile for so many rows."""
    for size in (1, 2, 4, 8):
        if rows <= size:
            return size
    return ROWS


@compiled(parallel=False, exact=True)
def _round_row(x: np.ndarray, panels: np.ndarray, place: int, step: int, fine: np.ndarray, head: np.ndarray) -> None:
    """A row into its panel, four numbers every ``step``, and its head."""
    at = np.empty(OUTLIERS, np.int64)
    grain = _step_of(x, at)
    inverse = np.float32(1) / grain
    sums = none()
    for k in range(0, x.shape[0], LANES):
        given = load(x, k) if k + LANES <= x.shape[0] else load_few(x, k, x.shape[0] - k)
        rounded = round_even(multiply_add(given, spread(inverse), none()))
        put_bytes(panels, place + k // CELL * step, step, rounded)
        sums = multiply_add(rounded, spread(np.float32(1)), sums)
    whole, above = np.int32(total(sums)), np.int32(0)
    for n in range(OUTLIERS):
        k = at[n]
        if k < x.shape[0]:
            number = np.rint(x[k] * inverse)
            high = np.int32(np.rint(number / _HIGH))
            panels[place + k // CELL * step + k % CELL] = np.int8(np.int32(number) - (high << SHIFT))
            head[OUTLIERS_AT + 2 * n] = k // CELL
            head[OUTLIERS_AT + 2 * n + 1] = (high & 0xFF) << (8 * (k % CELL))
            above += high
    head[BEGIN] = -(whole - (above << SHIFT)) * MIDDLE
    head[BEGIN_OUTLIERS] = -above * MIDDLE
    head.view(np.float32)[STEP] = grain
    most = LEAST
    for column in fine:
        most = max(most, abs(x[column]))
    grain, total_of_fine = most / np.float32(TOP), np.int32(0)
    for n in range(FINE):
        number = np.int32(np.rint(x[fine[n]] / grain))
        head[FINE_AT + n // CELL] |= (number & 0xFF) << (8 * (n % CELL))
        total_of_fine += number
    head[BEGIN_FINE] = -total_of_fine * MIDDLE
    head.view(np.float32)[STEP_FINE] = grain / np.float32(FINER)


@compiled(parallel=False, exact=True)
def _step_of(x: np.ndarray, at: np.ndarray) -> np.float32:
    """The step of a row's numbers; ``at`` receives the places of its outliers (one behind the row's end is none)."""
    first, second, third, fourth = none(), none(), none(), none()
    for k in range(0, x.shape[0], LANES):
        key = ranked(load(x, k) if k + LANES <= x.shape[0] else load_few(x, k, x.shape[0] - k), k // LANES)
        first, key = larger(first, key), smaller(first, key)
        second, key = larger(second, key), smaller(second, key)
        third, key = larger(third, key), smaller(third, key)
        fourth = larger(fourth, key)
    most = np.float32(0)
    for n in range(OUTLIERS):
        key = largest(first)
        lane = lane_of(first, key)
        place = (key & ((1 << TAG) - 1)) * LANES + lane
        for before in range(n):
            place = x.shape[0] if at[before] == place else place  # the fourth of its lane again
        at[n] = place
        if place < x.shape[0]:
            most = max(most, abs(x[place]))
        if key >= _INFINITE:
            return np.float32(np.nan)
        first, second = replaced(first, lane, second), replaced(second, lane, third)
        third = replaced(third, lane, fourth)  # the fourth stays: none behind it is larger
    rest = np.int32(largest(first) | ((1 << TAG) - 1)).view(np.float32)
    if not rest > np.float32(2) * LEAST:  # zeros, whose key is the number of their sixteen
        rest = LEAST
    return max(rest, most / _HIGH) / np.float32(TOP)
