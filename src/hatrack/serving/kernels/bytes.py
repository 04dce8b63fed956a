"""``x W^T`` for weights in 8 bits and rows rounded to whole numbers (``panels``); needs ``vnni.available``.

    x [rows, d_in] ─► panels and heads of sixteen rows ───────────────────────────────────────────┐
    W [d_out, d_in] ─► once: whole numbers + 128, [d_out / 16: d_in / 4, 16, 4] ─► read once ─────┴► tile ─► int32 ─► float32
         └─► what these leave of eight columns, in steps 254 times as small

Weights are read as one stream, once for all rows. A row's sums are exact, so they do not depend on the rows beside it (F25).
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.panels import panels_of, tile_rows
from hatrack.serving.kernels.vectors import LANES
from hatrack.serving.kernels.vnni import CELL, FINE, HEAD, MIDDLE, ROWS, tile1, tile2, tile4, tile8, tile16

__all__ = ["multiply", "multiply_groups", "pack_fine", "pack_weights", "packed_bytes", "sum_tile"]


def packed_bytes(d_in: int, d_out: int) -> int:
    """What the weights of a layer take."""
    return _sixteens(d_in) * _sixteens(d_out)


def pack_weights(weights: np.ndarray) -> np.ndarray:
    """``[d_out, d_in]`` int8 as ``multiply`` reads them; what is missing of sixteen rows is zeros, and of columns too."""
    return _pack(weights, _sixteens(weights.shape[1]))


def pack_fine(rest: np.ndarray) -> np.ndarray:
    """The same for ``[d_out, FINE]``."""
    return _pack(rest, FINE)


def _pack(weights: np.ndarray, size: int) -> np.ndarray:
    d_out, d_in = weights.shape
    whole = np.zeros((_sixteens(d_out), size), np.int16)
    whole[:d_out, :d_in] = weights
    cells = (whole + MIDDLE).astype(np.uint8).reshape(-1, LANES, size // CELL, CELL)
    return np.ascontiguousarray(cells.swapaxes(1, 2)).reshape(-1)


def _sixteens(size: int) -> int:
    return -(-size // LANES) * LANES


@compiled(parallel=True)
def multiply(x: np.ndarray, packed: np.ndarray, fine: np.ndarray, columns: np.ndarray, factor: np.ndarray, out: np.ndarray) -> None:
    """``out = x W^T``.

    Args:
        x: ``[rows, d_in]`` float32. packed: of ``pack_weights``. fine: of ``pack_fine``, what is left of the fine ``columns``.
        factor: the step of each output's weights, ``[d_out]`` float32.
        out: ``[rows, d_out]`` float32.
    """
    panels, heads = panels_of(x, columns)
    flat, groups = out.reshape(out.size), packed.shape[0] // (panels.shape[1] * LANES)
    for group in prange(groups):
        multiply_groups(panels, heads, packed, fine, factor, flat, out.shape[0], out.shape[1], group, group + 1)


@compiled(parallel=False)
def multiply_groups(
    panels: np.ndarray, heads: np.ndarray, packed: np.ndarray, fine: np.ndarray, factor: np.ndarray, out: np.ndarray,
    n: int, d_out: int, start: int, end: int,
) -> None:  # fmt: skip
    """Groups ``start`` to ``end`` of sixteen columns each, of all ``n`` rows; ``out``: ``[n * d_out]``."""
    size, flat, words = panels.shape[1], panels.reshape(panels.size), heads.reshape(heads.size)
    for group in range(start, end):
        column = group * LANES
        columns = min(LANES, d_out - column)
        for first in range(0, n, ROWS):
            rows = tile_rows(n - first)
            sum_tile(
                rows, flat, first * size, rows * CELL, packed, column * size, size // CELL, fine, column * FINE, words, first * HEAD,
                factor, column, out, first * d_out + column, d_out, n - first, columns,
            )  # fmt: skip


@compiled(parallel=False, exact=True)
def sum_tile(
    rows: int, x: np.ndarray, x_at: int, x_step: int, w: np.ndarray, w_at: int, cells: int, fine: np.ndarray, fine_at: int,
    head: np.ndarray, head_at: int, factor: np.ndarray, factor_at: int, out: np.ndarray, out_at: int, width: int, live: int, columns: int,
) -> None:  # fmt: skip  # see ``vnni``
    """The tile for 1, 2, 4, 8 or 16 rows."""
    if rows == 1:
        tile1(x, x_at, x_step, w, w_at, cells, fine, fine_at, head, head_at, factor, factor_at, out, out_at, width, live, columns)
    elif rows == 2:
        tile2(x, x_at, x_step, w, w_at, cells, fine, fine_at, head, head_at, factor, factor_at, out, out_at, width, live, columns)
    elif rows == 4:
        tile4(x, x_at, x_step, w, w_at, cells, fine, fine_at, head, head_at, factor, factor_at, out, out_at, width, live, columns)
    elif rows == 8:
        tile8(x, x_at, x_step, w, w_at, cells, fine, fine_at, head, head_at, factor, factor_at, out, out_at, width, live, columns)
    else:
        tile16(x, x_at, x_step, w, w_at, cells, fine, fine_at, head, head_at, factor, factor_at, out, out_at, width, live, columns)
