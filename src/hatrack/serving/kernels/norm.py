"""Residual, RMS norm (Zhang and Sennrich 2019) and the scale of each row, in one pass over the rows."""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange

__all__ = ["add_norm", "scale_rows"]


@compiled(parallel=True)
def add_norm(x: np.ndarray, y: np.ndarray, gain: np.ndarray, eps: float, out: np.ndarray, scale: np.ndarray, scaled: bool) -> None:
    """``x += y``; ``out = norm(x) * gain``; where ``scaled``, each row is divided by its largest magnitude.

    Args:
        x: the residual stream ``[tokens, d]``, changed in place.
        y: what the last block adds, ``[tokens, d]``, or no rows at all for nothing.
        scale: ``[tokens]``, receives what each row of ``out`` must be multiplied by (1 where not ``scaled``).
    """
    d = x.shape[1]
    added = y.shape[0] > 0
    for t in prange(x.shape[0]):
        total = np.float32(0)
        for k in range(d):
            if added:
                x[t, k] += y[t, k]
            total += x[t, k] * x[t, k]
        factor = np.float32(1) / np.sqrt(total / np.float32(d) + np.float32(eps))
        most = np.float32(0)
        for k in range(d):
            value = x[t, k] * factor * gain[k]
            out[t, k] = value
            most = max(most, abs(value))
        scale[t] = np.float32(1)
        if scaled and most > 0:
            scale[t] = most
            inverse = np.float32(1) / most
            for k in range(d):
                out[t, k] *= inverse


@compiled(parallel=True)
def scale_rows(x: np.ndarray, scale: np.ndarray) -> None:
    """Divide each row of ``x`` ``[tokens, d]`` by its largest magnitude, which goes into ``scale`` ``[tokens]``."""
    d = x.shape[1]
    for t in prange(x.shape[0]):
        most = np.float32(0)
        for k in range(d):
            most = max(most, abs(x[t, k]))
        scale[t] = np.float32(1)
        if most > 0:
            scale[t] = most
            inverse = np.float32(1) / most
            for k in range(d):
                x[t, k] *= inverse
