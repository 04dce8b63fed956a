"""Every token's own low-rank adapter on top of the base's linear layers, as in S-LoRA and Punica (2023).

An adapter lies in one row of an arena, packed: for each layer and target its ``A`` ``[rank, d_in]`` and then its scaled
``B`` transposed, ``[rank, d_out]``. Rank 0 is no adapter, which is all that slot 0, the base, consists of (F33). Numbers
are float32, or bfloat16, which is the upper half of a float32; sums are in float32 either way.

Neighbours with the same adapter, as a prompt's tokens are, are computed in small groups, for which a matrix is fetched
once. A token's own sums are the same in any group.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, overloaded, prange

__all__ = ["adapt"]

_TOGETHER = 8  # tokens that share a matrix while it lies in the nearest cache


def _wide(number: np.float32 | np.uint16) -> np.float32:
    raise NotImplementedError("compiled code only")


@overloaded(_wide)
def _(number):  # type: ignore[no-untyped-def]  # called with Numba's types
    if str(number) == "uint16":
        return lambda number: np.uint32(np.uint32(number) << np.uint32(16)).view(np.float32)
    return lambda number: number


@compiled(parallel=True)
def adapt(
    x: np.ndarray,
    scale: np.ndarray,
    y: np.ndarray,
    bias: np.ndarray,
    arena: np.ndarray,
    offset: np.ndarray,
    rank: np.ndarray,
    slot: np.ndarray,
    target: np.ndarray,
    start: np.ndarray,
) -> None:
    """``y[t] = scale[t] * (y[t] + B A x[t]) + bias`` with the matrices of ``slot[t]``, for all targets that read ``x``.

    Args:
        x: ``[tokens, d_in]``; ``y``: ``[tokens, d_out]``, what the base's linear layers made of ``x``, changed in place.
        bias: ``[d_out]``, or empty for none.
        arena: ``[slots, floats]``, float32, or uint16 with the bits of bfloat16; ``offset`` and ``rank``: ``[slots, targets]`` of
            this layer.
        slot: ``[tokens]``.
        target: which targets read ``x``; ``start``: ``[len(target) + 1]``, the columns of ``y`` that each of them writes.
    """
    for t in prange(x.shape[0]):
        if t % _TOGETHER == 0 or slot[t] != slot[t - 1]:
            end = t + 1
            while end < x.shape[0] and end % _TOGETHER and slot[end] == slot[t]:
                end += 1
            s = slot[t]
            for n in range(target.shape[0]):
                if rank[s, target[n]] > 0:
                    _add(x[t:end], y[t:end], start[n], start[n + 1], arena[s, offset[s, target[n]] :], rank[s, target[n]])
            _finish(y[t:end], scale[t:end], bias)


@compiled(parallel=False)
def _add(x: np.ndarray, y: np.ndarray, first: int, end: int, packed: np.ndarray, rank: int) -> None:
    """Columns ``first`` to ``end`` of ``y += B A x`` for tokens of one adapter; ``packed``: ``A``, and ``B`` behind it.

    Four ranks at a time, so that what a token brings and takes is fetched once for four; missing ranks are zeros.
    """
    tokens, d_in = x.shape
    width = end - first
    behind = packed[rank * d_in :]
    rows, columns = np.empty((4, d_in), np.float32), np.empty((4, width), np.float32)
    for j in range(0, rank, 4):
        _widen(packed, j, rank, rows)
        _widen(behind, j, rank, columns)
        a0, a1, a2, a3 = rows[0], rows[1], rows[2], rows[3]
        b0, b1, b2, b3 = columns[0], columns[1], columns[2], columns[3]
        for t in range(tokens):
            given, out = x[t], y[t][first:end]
            v0 = v1 = v2 = v3 = np.float32(0)
            for k in range(d_in):
                v0 += given[k] * a0[k]
                v1 += given[k] * a1[k]
                v2 += given[k] * a2[k]
                v3 += given[k] * a3[k]
            for k in range(width):
                out[k] += (v0 * b0[k] + v1 * b1[k]) + (v2 * b2[k] + v3 * b3[k])


@compiled(parallel=False)
def _widen(packed: np.ndarray, first: int, rank: int, out: np.ndarray) -> None:
    """Rows ``first`` to ``first + 3`` of a packed matrix of ``rank`` rows, as float32."""
    width = out.shape[1]
    for i in range(4):
        row = out[i]
        if first + i < rank:
            held = packed[(first + i) * width : (first + i + 1) * width]
            for k in range(width):
                row[k] = _wide(held[k])
        else:
            row[:] = np.float32(0)


@compiled(parallel=False)
def _finish(y: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> None:
    """``y = scale * y + bias``, by rows."""
    biased = bias.shape[0] > 0
    for t in range(y.shape[0]):
        out, factor = y[t], scale[t]
        for k in range(out.shape[0]):
            out[k] *= factor
        if biased:
            for k in range(out.shape[0]):
                out[k] += bias[k]
