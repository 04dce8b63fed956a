"""Residual and RMS norm (Zhang and Sennrich 2019), in one pass over the rows."""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange

__all__ = ["add_norm"]


@compiled(parallel=True)
def add_norm(x: np.ndarray, y: np.ndarray, gain: np.ndarray, eps: float, out: np.ndarray) -> None:
    """``x += y``; ``out = norm(x) * gain``.

    Args:
        x: the residual stream ``[tokens, d]``, changed in place.
        y: what the last block adds, ``[tokens, d]``, or no rows at all for nothing.
    """
    added = y.shape[0] > 0
    for t in prange(x.shape[0]):
        stream, row = x[t], out[t]
        if added:
            more = y[t]
            for k in range(stream.shape[0]):
                stream[k] += more[k]
        total = np.float32(0)
        for k in range(stream.shape[0]):
            total += stream[k] * stream[k]
        factor = np.float32(1) / np.sqrt(total / np.float32(stream.shape[0]) + np.float32(eps))
        for k in range(stream.shape[0]):
            row[k] = stream[k] * factor * gain[k]
