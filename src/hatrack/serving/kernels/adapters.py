"""Every token's own low-rank adapter on top of the base's linear layers, as in S-LoRA and Punica (2023).

An adapter lies in one row of an arena, in the order in which it is read, so that memory is one stream: for each layer and
target, four ranks at a time, the rows of ``A`` and then those of ``B`` transposed, sixteen numbers of each of the four in turn.
In bfloat16 two ranks take turns number by number, which makes two float32 of one read by a shift and a mask. What is
missing of four ranks or sixteen numbers is zeros. Rank 0 is no adapter, which is all that slot 0, the base, consists
of (F33). Numbers are float32, or bfloat16, which is the upper half of a float32; sums are in float32 either way.

Neighbours with the same adapter, as a prompt's tokens are, are computed in small groups, for which a matrix is fetched
once. A token's own sums are the same in any group, since their order is written down (``lanes``).
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.lanes import LANES, load, load_few, load_first, load_second, multiply_add, none, put, put_few, spread, total

__all__ = ["adapt", "pack", "packed_size"]

_TOGETHER = 8  # tokens that share a matrix while it lies in the nearest cache
_RANKS = 4  # that are computed at once: what a token brings and takes is fetched once for all of them


@compiled(parallel=False)
def packed_size(d_in: int, d_out: int, rank: int) -> int:
    """Numbers that a pair of matrices takes in the arena."""
    return (rank + _RANKS - 1) // _RANKS * _RANKS * ((d_in + LANES - 1) // LANES + (d_out + LANES - 1) // LANES) * LANES


def pack(a: np.ndarray, b: np.ndarray, *, in_turns: bool = False) -> np.ndarray:
    """``A [rank, d_in]`` and ``B [d_out, rank]``, float32, as they lie in the arena: ``[packed_size]``.

    Args:
        in_turns: the numbers of two ranks in turns, as an arena of bfloat16 has them.
    """
    fours = -(-len(a) // _RANKS)
    parts = []
    for matrix in (a, b.T):
        sixteens = -(-matrix.shape[1] // LANES)
        whole = np.zeros((fours * _RANKS, sixteens * LANES), np.float32)
        whole[: matrix.shape[0], : matrix.shape[1]] = matrix
        cells = whole.reshape(fours, _RANKS, sixteens, LANES).swapaxes(1, 2)
        if in_turns:
            cells = cells.reshape(fours, sixteens, _RANKS // 2, 2, LANES).swapaxes(3, 4)
        parts.append(cells.reshape(fours, -1))
    return np.concatenate(parts, axis=1).reshape(-1)


@compiled(parallel=True)
def adapt(
    x: np.ndarray,
    y: np.ndarray,
    bias: np.ndarray,
    arena: np.ndarray,
    offset: np.ndarray,
    rank: np.ndarray,
    slot: np.ndarray,
    target: np.ndarray,
    start: np.ndarray,
) -> None:
    """``y[t] += B A x[t] + bias`` with the matrices of ``slot[t]``, for all targets that read ``x``.

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
                    _add(x[t:end], y[t:end], start[n], start[n + 1], arena[s], offset[s, target[n]], rank[s, target[n]])
            for row in range(t, end if bias.shape[0] > 0 else t):
                y[row] += bias


@compiled(parallel=False)
def _add(x: np.ndarray, y: np.ndarray, first: int, end: int, packed: np.ndarray, place: int, rank: int) -> None:
    """Columns ``first`` to ``end`` of ``y += B A x`` for tokens of one adapter; ``place``: where ``pack`` put the matrices.

    Two tokens at a time, so that a matrix is fetched once for both.
    """
    tokens, width = x.shape[0], end - first
    step = packed_size(x.shape[1], width, 1)
    for _ in range(0, rank, _RANKS):
        for t in range(0, tokens - 1, 2):
            _two_tokens(x[t], x[t + 1], y[t], y[t + 1], first, width, packed, place)
        if tokens % 2:
            _one_token(x[tokens - 1], y[tokens - 1], first, width, packed, place)
        place += step


@compiled(parallel=False)
def _one_token(x: np.ndarray, y: np.ndarray, first: int, width: int, packed: np.ndarray, place: int) -> None:
    """Four ranks."""
    d, few = x.shape[0], x.shape[0] % LANES
    v0, v1, v2, v3 = none(), none(), none(), none()
    for k in range(0, d, LANES):
        given = load(x, k) if k + LANES <= d else load_few(x, k, few)
        v0 = multiply_add(given, load_first(packed, place), v0)
        v1 = multiply_add(given, load_second(packed, place), v1)
        v2 = multiply_add(given, load_first(packed, place + 2 * LANES), v2)
        v3 = multiply_add(given, load_second(packed, place + 2 * LANES), v3)
        place += _RANKS * LANES
    v0, v1, v2, v3 = spread(total(v0)), spread(total(v1)), spread(total(v2)), spread(total(v3))
    few = width % LANES
    for k in range(first, first + width, LANES):
        whole = k + LANES <= first + width
        out = multiply_add(v0, load_first(packed, place), load(y, k) if whole else load_few(y, k, few))
        out = multiply_add(v1, load_second(packed, place), out)
        out = multiply_add(v2, load_first(packed, place + 2 * LANES), out)
        out = multiply_add(v3, load_second(packed, place + 2 * LANES), out)
        if whole:
            put(y, k, out)
        else:
            put_few(y, k, out, few)
        place += _RANKS * LANES


@compiled(parallel=False)
def _two_tokens(x: np.ndarray, z: np.ndarray, y: np.ndarray, w: np.ndarray, first: int, width: int, packed: np.ndarray, place: int) -> None:
    """The same sums in the same order for ``x`` into ``y`` and for ``z`` into ``w``."""
    d, few = x.shape[0], x.shape[0] % LANES
    v0, v1, v2, v3 = none(), none(), none(), none()
    u0, u1, u2, u3 = none(), none(), none(), none()
    for k in range(0, d, LANES):
        whole = k + LANES <= d
        given, other = load(x, k) if whole else load_few(x, k, few), load(z, k) if whole else load_few(z, k, few)
        m0, m1 = load_first(packed, place), load_second(packed, place)
        m2, m3 = load_first(packed, place + 2 * LANES), load_second(packed, place + 2 * LANES)
        v0, u0 = multiply_add(given, m0, v0), multiply_add(other, m0, u0)
        v1, u1 = multiply_add(given, m1, v1), multiply_add(other, m1, u1)
        v2, u2 = multiply_add(given, m2, v2), multiply_add(other, m2, u2)
        v3, u3 = multiply_add(given, m3, v3), multiply_add(other, m3, u3)
        place += _RANKS * LANES
    v0, v1, v2, v3 = spread(total(v0)), spread(total(v1)), spread(total(v2)), spread(total(v3))
    u0, u1, u2, u3 = spread(total(u0)), spread(total(u1)), spread(total(u2)), spread(total(u3))
    few = width % LANES
    for k in range(first, first + width, LANES):
        whole = k + LANES <= first + width
        out, beside = load(y, k) if whole else load_few(y, k, few), load(w, k) if whole else load_few(w, k, few)
        m0, m1 = load_first(packed, place), load_second(packed, place)
        m2, m3 = load_first(packed, place + 2 * LANES), load_second(packed, place + 2 * LANES)
        out, beside = multiply_add(v0, m0, out), multiply_add(u0, m0, beside)
        out, beside = multiply_add(v1, m1, out), multiply_add(u1, m1, beside)
        out, beside = multiply_add(v2, m2, out), multiply_add(u2, m2, beside)
        out, beside = multiply_add(v3, m3, out), multiply_add(u3, m3, beside)
        if whole:
            put(y, k, out)
            put(w, k, beside)
        else:
            put_few(y, k, out, few)
            put_few(w, k, beside, few)
        place += _RANKS * LANES
