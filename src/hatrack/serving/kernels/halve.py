"""Float32 as bfloat16: its upper half, rounded to the nearest, ties to even. One pass, in the thread that calls it."""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled

__all__ = ["halve"]


@compiled(parallel=False)
def halve(bits: np.ndarray, out: np.ndarray) -> None:
    """Write a matrix, row after row, as the bits of bfloat16.

    Args:
        bits: ``[rows, columns]``, those of float32 as uint32, in any order in memory.
        out: ``[rows * columns]``, uint16.
    """
    n = 0
    for i in range(bits.shape[0]):
        for j in range(bits.shape[1]):
            odd = (bits[i, j] >> np.uint32(16)) & np.uint32(1)
            out[n] = np.uint16((bits[i, j] + np.uint32(0x7FFF) + odd) >> np.uint32(16))
            n += 1
