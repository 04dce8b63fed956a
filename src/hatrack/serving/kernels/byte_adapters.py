"""Every token's own low-rank adapter beside a base in 8 bits: in 8 bits too, and multiplied by the same instruction.

Sixteen tokens of as many adapters read more bytes than the whole base; in 8 bits they read least, and the rows are at hand as
whole numbers already. Of ``A`` each rank has its scale and of ``B`` each rank too, so both scales are one factor of what lies
between them.

    x in panels ─► tile: A x, factors ─► v float32 ─► in 15 bits, one step for each token ─► outputs: B v

A pair lies in a row of the arena as it is read: ``factors`` float32 ``[ranks]``; what 8 bits leave of ``A`` in the base's fine
columns (``panels``), ``[2, 16 ranks, 4]`` for each sixteen ranks; ``A``, ``[d_in / 4, 16 ranks, 4]`` for each sixteen; ``B``,
``[d_out / 16: rank / 4, 16, 4]``. What is missing of these is zeros. Sums are exact, so a token's answer does not depend on how
many neighbours have the same adapter and are computed with it (F25).
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled
from hatrack.serving.kernels.bytes import sum_tile
from hatrack.serving.kernels.outputs import SHORT, SHORT_STEP, outputs1, outputs2, outputs4
from hatrack.serving.kernels.panels import FINER, LEAST, TOP, tile_rows
from hatrack.serving.kernels.vectors import LANES
from hatrack.serving.kernels.vnni import CELL, FINE, HEAD, MIDDLE, ROWS, SHIFT

__all__ = ["adapt_bytes", "largest_rank", "pack_pair", "pair_bytes", "run_starts"]

_READING = 3  # tokens that could be computed while the adapter of a run is read


@compiled(parallel=False)
def pair_bytes(d_in: int, d_out: int, rank: int) -> int:
    """What a pair of matrices takes in the arena."""
    ranks = _sixteens(rank)
    whole: int = ranks * (4 + FINE + _sixteens(d_in)) + _sixteens(d_out) * _cells(rank) * CELL
    return whole


@compiled(parallel=False)
def _sixteens(size: int) -> int:
    whole: int = (size + LANES - 1) // LANES * LANES
    return whole


@compiled(parallel=False)
def _cells(rank: int) -> int:
    return (rank + CELL - 1) // CELL


@compiled(parallel=False)
def pack_pair(a: np.ndarray, b: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """Write ``A [rank, d_in]`` and ``B [d_out, rank]``, float32, into ``out``, ``[pair_bytes]`` uint8.

    Args:
        columns: ``[FINE]``, the fine columns of the base's layer; one that stands there twice counts once.
    """
    rank, d_in, d_out = a.shape[0], a.shape[1], b.shape[0]
    ranks, size, cells = _sixteens(rank), _sixteens(d_in), _cells(rank)
    factors, begin = out[: 4 * ranks].view(np.float32), ranks * (4 + FINE + size)
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
        step, inverse[r] = max(most, LEAST) / np.float32(TOP), np.float32(TOP) / max(largest[r], LEAST)
        factors[r] = step / inverse[r]
        place = 4 * ranks + r // LANES * LANES * FINE + r % LANES * CELL
        for n in range(FINE):
            k = columns[n]
            if not (columns[:n] == k).any():
                rest = a[r, k] / step - np.rint(a[r, k] / step)
                out[place + n // CELL * CELL * LANES + n % CELL] = np.uint8(np.int32(np.rint(rest * FINER)) + MIDDLE)
        place = ranks * (4 + FINE) + r // LANES * LANES * size + r % LANES * CELL
        for k in range(d_in):
            out[place + k // CELL * CELL * LANES + k % CELL] = np.uint8(np.int32(np.rint(a[r, k] / step)) + MIDDLE)
    for o in range(d_out):
        place = begin + o // LANES * cells * CELL * LANES + o % LANES * CELL
        for r in range(rank):
            out[place + r // CELL * CELL * LANES + r % CELL] = np.uint8(np.int32(np.rint(b[o, r] * inverse[r])) + MIDDLE)


@compiled(parallel=False)
def adapt_bytes(
    panels: np.ndarray, heads: np.ndarray, begin: int, end: int, d_in: int, out: np.ndarray, d_out: int,
    arena: np.ndarray, offset: np.ndarray, rank: np.ndarray, slot: np.ndarray, target: np.ndarray, start: np.ndarray,
) -> None:  # fmt: skip
    """``out = B A x`` of tokens ``begin`` to ``end``; rows of those that have no adapter stay as they are.

    Args:
        panels, heads: all tokens, as ``panels_of`` made them. out: ``[tokens * d_out]``. arena: uint8. The other inputs are those of
            ``adapters.adapt``.
    """
    size, tokens, row = panels.shape[1], slot.shape[0], arena.shape[1]
    x, words = panels.reshape(panels.size), heads.reshape(heads.size)
    adapters = arena.reshape(arena.size)  # views of parts are counted, and threads wait for each other's counts
    factors = adapters.view(np.float32)
    room = _sixteens(largest_rank(rank, slot, target, begin, end))
    sums, ranked, short = np.empty(ROWS * room, np.float32), np.empty(2 * ROWS * room, np.int8), np.empty(ROWS * SHORT, np.int32)
    t = begin
    while t < end:
        rows, s = _run(t, end, slot), slot[t]
        panel = t // ROWS * ROWS
        place, step = panel * size + (t - panel) * CELL, tile_rows(tokens - panel) * CELL
        for n in range(target.shape[0] if largest_rank(rank, slot, target, t, t + 1) > 0 else 0):
            r, at, width = rank[s, target[n]], s * row + offset[s, target[n]], start[n + 1] - start[n]
            ranks = _sixteens(r)
            for first in range(0, ranks, LANES):
                sum_tile(
                    rows, x, place, step, adapters, at + ranks * (4 + FINE) + first * size, size // CELL, adapters,
                    at + 4 * ranks + first * FINE, words, t * HEAD, factors, at // 4 + first, sums, first, ranks, rows, LANES,
                )  # fmt: skip
            _narrow(sums, rows, r, ranks, ranked, short)  # of no rank nothing, which makes zeros
            at += ranks * (4 + FINE + size)
            _set_outputs(rows, ranked, adapters, at, _cells(r), short, out, t * d_out + start[n], d_out, width)
        t += rows


@compiled(parallel=False)
def largest_rank(rank: np.ndarray, slot: np.ndarray, target: np.ndarray, begin: int, end: int) -> int:
    """Of the adapters of tokens ``begin`` to ``end`` on these layers."""
    most = 0
    for t in range(begin, end):
        for n in range(target.shape[0]):
            most = max(most, rank[slot[t], target[n]])
    return most


@compiled(parallel=False)
def run_starts(slot: np.ndarray, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each run of tokens that are computed together begins, and where the last ends; and which runs each worker takes.

    Returns:
        starts: ``[runs + 1]``. shares: ``[workers + 1]``, worker ``w`` takes runs ``shares[w]`` to ``shares[w + 1]``.
    """
    starts, runs, t = np.empty(slot.shape[0] + 1, np.int64), 0, 0
    while t < slot.shape[0]:
        starts[runs] = t
        t += _run(t, slot.shape[0], slot)
        runs += 1
    starts[runs] = t
    shares, run = np.zeros(workers + 1, np.int64), 0
    whole = runs * _READING + t
    for worker in range(workers):
        while run < runs and (run * _READING + starts[run]) * workers < (worker + 1) * whole:
            run += 1
        shares[worker + 1] = run
    return starts[: runs + 1], shares


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


@compiled(parallel=False, exact=True)
def _narrow(sums: np.ndarray, rows: int, rank: int, ranks: int, out: np.ndarray, heads: np.ndarray) -> None:
    """``[rows, ranks]`` in 15 bits: low ones cell by cell, then high ones, and each row's head (``outputs``)."""
    behind = _cells(rank) * CELL * rows
    for row in range(rows):
        most = LEAST
        for r in range(rank):
            most = max(most, abs(sums[row * ranks + r]))
        inverse, whole = np.float32(TOP << SHIFT) / most, np.int32(0)
        for r in range(_cells(rank) * CELL):
            number = np.int32(np.rint(sums[row * ranks + r] * inverse))
            high = (number + (1 << (SHIFT - 1))) >> SHIFT
            place = r // CELL * CELL * rows + row * CELL + r % CELL
            out[place], out[behind + place] = np.int8(number - (high << SHIFT)), np.int8(high)
            whole += number
        heads[row * SHORT] = -whole * MIDDLE
        heads.view(np.float32)[row * SHORT + SHORT_STEP] = most / np.float32(TOP << SHIFT)


@compiled(parallel=False, exact=True)
def _set_outputs(
    rows: int, x: np.ndarray, w: np.ndarray, w_at: int, cells: int, head: np.ndarray,
    out: np.ndarray, out_at: int, width: int, columns: int,
) -> None:  # fmt: skip  # see ``outputs``
    """Four rows at a time: more than that lie in the same place of the nearest cache where ``width`` is a power of two, or nearly."""
    groups, step = columns // LANES, rows * CELL
    if rows == 1:
        outputs1(x, 0, step, w, w_at, cells, head, 0, out, out_at, width, groups)
    elif rows == 2:
        outputs2(x, 0, step, w, w_at, cells, head, 0, out, out_at, width, groups)
    else:
        for row in range(0, rows, 4):
            outputs4(x, row * CELL, step, w, w_at, cells, head, row * SHORT, out, out_at + row * width, width, groups)
    w_at, out_at = w_at + groups * cells * CELL * LANES, out_at + groups * LANES
    for row in range(rows):
        for column in range(columns % LANES):  # number by number
            total = head[row * SHORT]
            for k in range(cells * CELL):
                place = k // CELL * rows * CELL + row * CELL + k % CELL
                number = np.int32(x[place]) + (np.int32(x[cells * CELL * rows + place]) << SHIFT)
                total += number * np.int32(w[w_at + k // CELL * CELL * LANES + column * CELL + k % CELL])
            out[out_at + row * width + column] = np.float32(total) * head.view(np.float32)[row * SHORT + SHORT_STEP]
