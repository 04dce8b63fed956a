"""Every token's own low-rank adapter on top of the base's linear layers, as in S-LoRA and Punica (2023).

An adapter lies in one row of an arena, packed: for each layer and target its ``A`` ``[rank, d_in]`` and then its scaled
``B`` transposed, ``[rank, d_out]``. Rank 0 is no adapter, which is all that slot 0, the base, consists of (F33).
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange

__all__ = ["adapt"]


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
        arena: ``[slots, floats]``; ``offset`` and ``rank``: ``[slots, targets]`` of this layer.
        slot: ``[tokens]``.
        target: which targets read ``x``; ``start``: ``[len(target) + 1]``, the columns of ``y`` that each of them writes.
    """
    d_in, d_out = x.shape[1], y.shape[1]
    biased = bias.shape[0] > 0
    for t in prange(x.shape[0]):
        s = slot[t]
        for n in range(target.shape[0]):
            r = rank[s, target[n]]
            if r == 0:
                continue
            first, width = start[n], start[n + 1] - start[n]
            a = offset[s, target[n]]
            b = a + r * d_in
            for j in range(r):
                row = arena[s, a + j * d_in : a + (j + 1) * d_in]
                inner = np.float32(0)
                for k in range(d_in):
                    inner += x[t, k] * row[k]
                column = arena[s, b + j * width : b + (j + 1) * width]
                for k in range(width):
                    y[t, first + k] += inner * column[k]
        factor = scale[t]
        for k in range(d_out):
            y[t, k] *= factor
            if biased:
                y[t, k] += bias[k]
