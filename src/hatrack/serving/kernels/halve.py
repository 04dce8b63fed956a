"""Float32 as bfloat16: its upper half, rounded to the nearest, ties to even. In the thread that calls it."""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled
from hatrack.serving.kernels.lanes import LANES, load, load_few, put, put_few

__all__ = ["halve"]


@compiled(parallel=False)
def halve(numbers: np.ndarray, out: np.ndarray) -> None:
    """Write ``numbers``, ``[n]`` float32, into ``out``, ``[n]`` uint16, as the bits of bfloat16."""
    few = numbers.shape[0] % LANES
    for i in range(0, numbers.shape[0] - few, LANES):
        put(out, i, load(numbers, i))
    if few:
        put_few(out, numbers.shape[0] - few, load_few(numbers, numbers.shape[0] - few, few), few)
