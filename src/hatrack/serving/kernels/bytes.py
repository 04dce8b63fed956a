"""``x W^T`` for weights in 8 bits and rows whose largest magnitude is 1, rounded to 7 bits; needs ``vnni.available``.

    x [rows, d_in] ─► whole numbers -63 to 63, in panels [16 rows: d_in / 4, 16, 4] ─┐
    W [d_out, d_in] ─► once: whole numbers + 128, [d_out / 16: d_in / 4, 16, 4] ─────┴► tile ─► int32 ─► float32

Weights are read as one stream, once for all rows. A row's sums are exact, so they do not depend on the rows beside it (F25).
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.lanes import LANES, load, load_few, multiply_add, none, put_bytes, round_even, spread, total
from hatrack.serving.kernels.vnni import CELL, ROWS, tile1, tile2, tile4, tile8, tile16

__all__ = ["TOP", "multiply", "multiply_groups", "pack_weights", "packed_bytes", "panels_of"]

TOP = 63  # largest magnitude of an input
_ONE, _ZERO = np.float32(1), np.float32(TOP + 1)  # torch rounds from zero up, and so does this, to the same bits
_STEPS = np.float32(1) / np.float32(1 / TOP)
_MIDDLE = 128  # what is added to weights, which the instruction wants without sign


def packed_bytes(d_in: int, d_out: int) -> int:
    """What the weights of a layer take."""
    return _sixteens(d_in) * _sixteens(d_out)


def pack_weights(weights: np.ndarray) -> np.ndarray:
    """``[d_out, d_in]`` int8 as ``multiply`` reads them; what is missing of sixteen is zeros."""
    d_out, d_in = weights.shape
    whole = np.zeros((_sixteens(d_out), _sixteens(d_in)), np.int16)
    whole[:d_out, :d_in] = weights
    cells = (whole + _MIDDLE).astype(np.uint8).reshape(-1, LANES, whole.shape[1] // CELL, CELL)
    return np.ascontiguousarray(cells.swapaxes(1, 2)).reshape(-1)


def _sixteens(size: int) -> int:
    return -(-size // LANES) * LANES


@compiled(parallel=True)
def multiply(x: np.ndarray, packed: np.ndarray, factor: np.ndarray, out: np.ndarray) -> None:
    """``out[r, o] = factor[o] * sum(round(TOP * x[r]) * w[o])``, to the bits that torch's fbgemm makes of the same numbers.

    Args:
        x: ``[rows, d_in]`` float32. packed: of ``pack_weights``. factor: ``[d_out]`` float32. out: ``[rows, d_out]`` float32.
    """
    panels, begin = panels_of(x)
    flat, groups = out.reshape(out.size), packed.shape[0] // (panels.shape[1] * LANES)
    for group in prange(groups):
        multiply_groups(panels, begin, packed, factor, flat, out.shape[0], out.shape[1], group, group + 1)


@compiled(parallel=True)
def panels_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows as whole numbers: ``[rows, numbers]`` int8, sixteen rows cell by cell; and what their sums begin with, ``[rows]`` int32."""
    n, d_in = x.shape
    size, blocks = (d_in + LANES - 1) // LANES * LANES, (n + ROWS - 1) // ROWS
    panels, begin = np.zeros((blocks * ROWS, size), np.int8), np.zeros(blocks * ROWS, np.int32)
    flat = panels.reshape(panels.size)
    if blocks == 1:  # less than what it takes to tell another thread of it
        _round_block(x, 0, size, flat, begin)
    else:
        for block in prange(blocks):
            _round_block(x, block * ROWS, size, flat, begin)
    return panels, begin


@compiled(parallel=False)
def multiply_groups(
    panels: np.ndarray, begin: np.ndarray, packed: np.ndarray, factor: np.ndarray, out: np.ndarray, n: int, d_out: int, start: int, end: int
) -> None:
    """Groups ``start`` to ``end`` of sixteen columns each, of all ``n`` rows; ``out``: ``[n * d_out]``."""
    size, flat = panels.shape[1], panels.reshape(panels.size)
    for group in range(start, end):
        column = group * LANES
        columns = min(LANES, d_out - column)
        for first in range(0, n, ROWS):
            place = first * d_out + column
            _sum_tile(
                flat, first * size, packed, column * size, size // CELL, begin, first, factor, column, out, place, d_out, n - first, columns
            )  # fmt: skip


@compiled(parallel=False)
def _round_block(x: np.ndarray, first: int, size: int, panels: np.ndarray, begin: np.ndarray) -> None:
    """Up to sixteen rows as a panel; ``begin`` takes back what the sums of each are too large by."""
    rows = _tile_rows(x.shape[0] - first)
    for r in range(first, min(x.shape[0], first + ROWS)):
        whole = _round_row(x[r], panels, first * size + (r - first) * CELL, rows * CELL)
        begin[r] = -np.int32(whole) * np.int32(_MIDDLE)


@compiled(parallel=False)
def _tile_rows(rows: int) -> int:
    """The smallest tile for so many rows."""
    for size in (1, 2, 4, 8):
        if rows <= size:
            return size
    return ROWS


@compiled(parallel=False)
def _round_row(x: np.ndarray, panels: np.ndarray, place: int, step: int) -> np.float32:
    """A row as whole numbers, four of them every ``step``; returns their sum, which is exact."""
    sums = none()
    for k in range(0, x.shape[0], LANES):
        given = load(x, k) if k + LANES <= x.shape[0] else load_few(x, k, x.shape[0] - k)
        rounded = multiply_add(round_even(multiply_add(given, spread(_STEPS), spread(_ZERO))), spread(_ONE), spread(-_ZERO))
        put_bytes(panels, place + k // CELL * step, step, rounded)
        sums = multiply_add(rounded, spread(_ONE), sums)
    whole: np.float32 = total(sums)
    return whole


@compiled(parallel=False)
def _sum_tile(
    x: np.ndarray, x_at: int, w: np.ndarray, w_at: int, cells: int, begin: np.ndarray, begin_at: int, factor: np.ndarray, factor_at: int,
    out: np.ndarray, out_at: int, width: int, live: int, columns: int,
) -> None:  # fmt: skip  # see ``vnni``
    rows = _tile_rows(live)
    if rows == 1:
        tile1(x, x_at, w, w_at, cells, begin, begin_at, factor, factor_at, out, out_at, width, live, columns)
    elif rows == 2:
        tile2(x, x_at, w, w_at, cells, begin, begin_at, factor, factor_at, out, out_at, width, live, columns)
    elif rows == 4:
        tile4(x, x_at, w, w_at, cells, begin, begin_at, factor, factor_at, out, out_at, width, live, columns)
    elif rows == 8:
        tile8(x, x_at, w, w_at, cells, begin, begin_at, factor, factor_at, out, out_at, width, live, columns)
    else:
        tile16(x, x_at, w, w_at, cells, begin, begin_at, factor, factor_at, out, out_at, width, live, columns)
