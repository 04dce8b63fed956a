"""Every token's own low-rank adapter beside a base in 8 bits: in 8 bits too, and multiplied by the same instruction.

Sixteen tokens of as many adapters read more bytes than the whole base; in 8 bits they read least, and the rows are at hand as
whole numbers already. Of ``A`` each rank has its scale and of ``B`` each rank too, so both scales are one factor of what lies
between them.

    x in panels ─► ranks: A x, factors ─► v float32 ─► in 8 bits, one step for each token ─► adding: out += B v

A pair lies in a row of the arena as it is read: ``factors`` float32 ``[ranks]``, ``A [d_in / 4, 16 ranks, 4]`` for each sixteen
ranks, ``B [d_out / 16: rank / 4, 16, 4]``; what is missing of these is zeros. Sums are exact, so a token's answer does not depend
on how many neighbours have the same adapter and are computed with it (F25).
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled
from hatrack.serving.kernels.outputs import SHORT, SHORT_STEP, adding1, adding2, adding4
from hatrack.serving.kernels.panels import tile_rows
from hatrack.serving.kernels.vectors import LANES
from hatrack.serving.kernels.vnni import CELL, HEAD, MIDDLE, ROWS, ranks1, ranks2, ranks4, ranks8, ranks16

__all__ = ["add_outputs", "pack_pair", "pair_bytes", "to_ranks"]

_TOP = 127
_LEAST = np.float32(1e-30)


@compiled(parallel=False)
def pair_bytes(d_in: int, d_out: int, rank: int) -> int:
    """What a pair of matrices takes in the arena."""
    ranks = _sixteens(rank)
    return 4 * ranks + ranks * _sixteens(d_in) + _sixteens(d_out) * _cells(rank) * CELL


@compiled(parallel=False)
def _sixteens(size: int) -> int:
    return (size + LANES - 1) // LANES * LANES


@compiled(parallel=False)
def _cells(rank: int) -> int:
    return (rank + CELL - 1) // CELL


@compiled(parallel=False)
def pack_pair(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Write ``A [rank, d_in]`` and ``B [d_out, rank]``, float32, into ``out``, ``[pair_bytes]`` uint8."""
    rank, d_in, d_out = a.shape[0], a.shape[1], b.shape[0]
    ranks, size, cells = _sixteens(rank), _sixteens(d_in), _cells(rank)
    factors, begin = out[: 4 * ranks].view(np.float32), 4 * ranks + ranks * size
    factors[:] = np.float32(0)
    out[4 * ranks :] = MIDDLE
    inverse = np.empty(rank, np.float32)
    largest = np.zeros(rank, np.float32)
    for o in range(d_out):
        for r in range(rank):
            largest[r] = max(largest[r], abs(b[o, r]))
    for r in range(rank):
        most = np.float32(0)
        for k in range(d_in):
            most = max(most, abs(a[r, k]))
        step, inverse[r] = max(most, _LEAST) / np.float32(_TOP), np.float32(_TOP) / max(largest[r], _LEAST)
        factors[r] = step / inverse[r]
        place = 4 * ranks + r // LANES * LANES * size + r % LANES * CELL
        for k in range(d_in):
            out[place + k // CELL * CELL * LANES + k % CELL] = np.uint8(np.int32(np.rint(a[r, k] / step)) + MIDDLE)
    for o in range(d_out):
        place = begin + o // LANES * cells * CELL * LANES + o % LANES * CELL
        for r in range(rank):
            out[place + r // CELL * CELL * LANES + r % CELL] = np.uint8(np.int32(np.rint(b[o, r] * inverse[r])) + MIDDLE)


@compiled(parallel=False)
def to_ranks(
    panels: np.ndarray, heads: np.ndarray, begin: int, end: int, arena: np.ndarray, offset: np.ndarray, rank: np.ndarray,
    slot: np.ndarray, target: np.ndarray, ranked: np.ndarray, ranked_heads: np.ndarray,
) -> None:  # fmt: skip
    """``A x`` of tokens ``begin`` to ``end`` for all targets, in 8 bits.

    Args:
        panels, heads: all tokens, as ``panels_of`` made them. arena: uint8. The other inputs are those of ``adapters.adapt``.
        ranked: ``[targets * tokens * ranks]`` int8; tokens that ``_run`` takes together lie cell by cell. ranked_heads: ``[targets *
            tokens * SHORT]`` int32.
    """
    size, tokens, row = panels.shape[1], slot.shape[0], arena.shape[1]
    room, x, words = ranked.shape[0] // (tokens * target.shape[0]), panels.reshape(panels.size), heads.reshape(heads.size)
    adapters = arena.reshape(arena.size)  # views of parts are counted, and threads wait for each other's counts
    factors = adapters.view(np.float32)
    sums = np.empty(ROWS * room, np.float32)
    t = begin
    while t < end:
        rows, s = _run(t, end, slot), slot[t]
        panel = t // ROWS * ROWS
        place, step = panel * size + (t - panel) * CELL, tile_rows(tokens - panel) * CELL
        for n in range(target.shape[0]):
            r, at = rank[s, target[n]], s * row + offset[s, target[n]]
            ranks = _sixteens(r)
            for first in range(0, ranks, LANES):
                _sum_ranks(
                    rows, x, place, step, adapters, at + 4 * ranks + first * size, size // CELL, words, t * HEAD,
                    factors, at // 4 + first, sums, first, ranks,
                )  # fmt: skip
            if r > 0:
                _narrow(sums, rows, r, ranks, ranked, (n * tokens + t) * room, ranked_heads, (n * tokens + t) * SHORT)
        t += rows


@compiled(parallel=False)
def add_outputs(
    ranked: np.ndarray, ranked_heads: np.ndarray, begin: int, end: int, part: int, parts: int, d_in: int, out: np.ndarray, d_out: int,
    arena: np.ndarray, offset: np.ndarray, rank: np.ndarray, slot: np.ndarray, target: np.ndarray, start: np.ndarray,
) -> None:  # fmt: skip
    """``out += B v`` of tokens ``begin`` to ``end``, as ``to_ranks`` made them, for one of ``parts`` parts of each target's columns.

    Args:
        out: ``[tokens * d_out]``; a target's columns are ``start[n]`` to ``start[n + 1]``.
    """
    tokens, row, adapters = slot.shape[0], arena.shape[1], arena.reshape(arena.size)
    room = ranked.shape[0] // (tokens * target.shape[0])
    t = begin
    while t < end:
        rows, s = _run(t, end, slot), slot[t]
        for n in range(target.shape[0]):
            r, width = rank[s, target[n]], start[n + 1] - start[n]
            if r > 0:
                groups, cells = _sixteens(width) // LANES, _cells(r)
                place = s * row + offset[s, target[n]] + _sixteens(r) * (4 + _sixteens(d_in))
                first, last = part * groups // parts, (part + 1) * groups // parts
                _add(
                    rows, ranked, (n * tokens + t) * room, adapters, place + first * cells * CELL * LANES, cells,
                    ranked_heads, (n * tokens + t) * SHORT,
                    out, t * d_out + start[n] + first * LANES, d_out, min(last * LANES, width) - first * LANES,
                )  # fmt: skip
        t += rows


@compiled(parallel=False)
def _run(t: int, end: int, slot: np.ndarray) -> int:
    """How many tokens from ``t`` on have one adapter and lie in one panel: the largest tile that they fill."""
    last = min(end, t // ROWS * ROWS + ROWS)
    same = t + 1
    while same < last and slot[same] == slot[t]:
        same += 1
    rows = ROWS
    while rows > same - t:
        rows //= 2
    return rows


@compiled(parallel=False)
def _narrow(sums: np.ndarray, rows: int, rank: int, ranks: int, out: np.ndarray, place: int, heads: np.ndarray, head: int) -> None:
    """``[rows, ranks]`` in 8 bits, cell by cell; the sum of each row's numbers and its step into its head."""
    for row in range(rows):
        most = _LEAST
        for r in range(rank):
            most = max(most, abs(sums[row * ranks + r]))
        step, whole = most / np.float32(_TOP), np.int32(0)
        for r in range(_cells(rank) * CELL):
            number = np.int32(np.rint(sums[row * ranks + r] / step))
            out[place + r // CELL * CELL * rows + row * CELL + r % CELL] = np.int8(number)
            whole += number
        heads[head + row * SHORT] = -whole * MIDDLE
        heads.view(np.float32)[head + row * SHORT + SHORT_STEP] = step


@compiled(parallel=False)
def _sum_ranks(
    rows: int, x: np.ndarray, x_at: int, x_step: int, w: np.ndarray, w_at: int, cells: int, head: np.ndarray, head_at: int,
    factor: np.ndarray, factor_at: int, out: np.ndarray, out_at: int, width: int,
) -> None:  # fmt: skip  # see ``vnni``
    if rows == 1:
        ranks1(x, x_at, x_step, w, w_at, cells, w, 0, head, head_at, factor, factor_at, out, out_at, width, rows, LANES)
    elif rows == 2:
        ranks2(x, x_at, x_step, w, w_at, cells, w, 0, head, head_at, factor, factor_at, out, out_at, width, rows, LANES)
    elif rows == 4:
        ranks4(x, x_at, x_step, w, w_at, cells, w, 0, head, head_at, factor, factor_at, out, out_at, width, rows, LANES)
    elif rows == 8:
        ranks8(x, x_at, x_step, w, w_at, cells, w, 0, head, head_at, factor, factor_at, out, out_at, width, rows, LANES)
    else:
        ranks16(x, x_at, x_step, w, w_at, cells, w, 0, head, head_at, factor, factor_at, out, out_at, width, rows, LANES)


@compiled(parallel=False)
def _add(
    rows: int, x: np.ndarray, x_at: int, w: np.ndarray, w_at: int, cells: int, head: np.ndarray, head_at: int,
    out: np.ndarray, out_at: int, width: int, columns: int,
) -> None:  # fmt: skip  # see ``outputs``
    """Four rows at a time: more than that lie in the same place of the nearest cache where ``width`` is a power of two, or nearly."""
    groups, step = columns // LANES, rows * CELL
    if rows == 1:
        adding1(x, x_at, step, w, w_at, cells, head, head_at, out, out_at, width, groups)
    elif rows == 2:
        adding2(x, x_at, step, w, w_at, cells, head, head_at, out, out_at, width, groups)
    else:
        for row in range(0, rows, 4):
            adding4(x, x_at + row * CELL, step, w, w_at, cells, head, head_at + row * SHORT, out, out_at + row * width, width, groups)
    if columns % LANES:
        _add_few(
            rows,
            x,
            x_at,
            w,
            w_at + groups * cells * CELL * LANES,
            cells,
            head,
            head_at,
            out,
            out_at + groups * LANES,
            width,
            columns % LANES,
        )


@compiled(parallel=False)
def _add_few(
    rows: int, x: np.ndarray, x_at: int, w: np.ndarray, w_at: int, cells: int, head: np.ndarray, head_at: int,
    out: np.ndarray, out_at: int, width: int, columns: int,
) -> None:  # fmt: skip
    """Less than sixteen columns, number by number."""
    for row in range(rows):
        step = head.view(np.float32)[head_at + row * SHORT + SHORT_STEP]
        for column in range(columns):
            total = head[head_at + row * SHORT]
            for k in range(cells * CELL):
                number = x[x_at + k // CELL * rows * CELL + row * CELL + k % CELL]
                total += np.int32(number) * np.int32(w[w_at + k // CELL * CELL * LANES + column * CELL + k % CELL])
            out[out_at + row * width + column] += np.float32(total) * step
