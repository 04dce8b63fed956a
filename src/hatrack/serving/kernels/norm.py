"""Residual, RMS norm (Zhang and Sennrich 2019) and the scale of each row, in one pass over the rows."""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange

__all__ = ["add_norm", "rescale", "scale_rows"]


@compiled(parallel=True)
def add_norm(x: np.ndarray, y: np.ndarray, gain: np.ndarray, eps: float, out: np.ndarray, scale: np.ndarray, scaled: bool) -> None:
    """``x += y``; ``out = norm(x) * gain``; where ``scaled``, each row is divided by its largest magnitude.

    Args:
        x: the residual stream ``[tokens, d]``, changed in place.
        y: what the last block adds, ``[tokens, d]``, or no rows at all for nothing.
        scale: ``[tokens]``, receives what each row of ``out`` must be multiplied by (1 where not ``scaled``).
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
        scale[t] = np.float32(1)
        if scaled:
            scale[t] = rescale(row)


@compiled(parallel=True)
def scale_rows(x: np.ndarray, scale: np.ndarray) -> None:
    """Divide each row of ``x`` ``[tokens, d]`` by its largest magnitude, which goes into ``scale`` ``[tokens]``."""
    for t in prange(x.shape[0]):
        scale[t] = rescale(x[t])


@compiled(parallel=False)
def rescale(row: np.ndarray) -> np.float32:
    """Divide a row by its largest magnitude, and return that; a row of zeros stays, and counts as 1.

    Bits of magnitudes are ordered as whole numbers, whose largest is found many at once.
    """
    bits = row.view(np.int32)
    top = np.int32(0)
    for k in range(row.shape[0]):
        top = max(top, bits[k] & np.int32(0x7FFFFFFF))
    if top == 0:
        return np.float32(1)
    most = np.int32(top).view(np.float32)
    inverse = np.float32(1) / most
    for k in range(row.shape[0]):
        row[k] *= inverse
    return most
