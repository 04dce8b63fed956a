"""The base's product in 8 bits and every token's adapter at the same time: ``W x + B A x + bias``.

A product of sixteen rows waits for the processor, adapters mostly for memory; so every other thread begins with its share
of the adapters while its neighbours multiply. Both matrices of an adapter are read at once, since memory is fast only where
much of it is read in a row.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.byte_adapters import adapt_bytes, largest_rank
from hatrack.serving.kernels.bytes import multiply_groups
from hatrack.serving.kernels.panels import panels_of
from hatrack.serving.kernels.vectors import LANES

__all__ = ["multiply_and_adapt"]


@compiled(parallel=True)
def multiply_and_adapt(
    x: np.ndarray, packed: np.ndarray, fine: np.ndarray, columns: np.ndarray, factor: np.ndarray, bias: np.ndarray, out: np.ndarray,
    more: np.ndarray, arena: np.ndarray, offset: np.ndarray, rank: np.ndarray, slot: np.ndarray, target: np.ndarray,
    start: np.ndarray, workers: int,
) -> None:  # fmt: skip
    """See the module; ``packed`` to ``factor`` as in ``bytes.multiply``, the rest as in ``byte_adapters``.

    Args:
        out: ``[tokens, d_out]``. more: ``[tokens * d_out]`` or more, room for what the adapters add. workers: threads that share
            the work.
    """
    tokens, d_out = out.shape
    panels, heads = panels_of(x, columns)
    flat, groups, d_in = out.reshape(out.size), packed.shape[0] // (panels.shape[1] * LANES), x.shape[1]
    adapted = largest_rank(rank, slot, target, 0, tokens) > 0
    for worker in prange(workers):
        first, end = worker * groups // workers, (worker + 1) * groups // workers
        begins, ends = worker * tokens // workers, (worker + 1) * tokens // workers
        if worker % 2 and adapted:
            adapt_bytes(panels, heads, begins, ends, d_in, more, d_out, arena, offset, rank, slot, target, start)
        multiply_groups(panels, heads, packed, fine, factor, flat, tokens, d_out, first, end)
        if worker % 2 == 0 and adapted:
            adapt_bytes(panels, heads, begins, ends, d_in, more, d_out, arena, offset, rank, slot, target, start)
        for t in range(tokens if bias.shape[0] > 0 else 0):
            for k in range(first * LANES, min(d_out, end * LANES)):
                out[t, k] += bias[k]
    for t in prange(tokens if adapted else 0):
        if largest_rank(rank, slot, target, t, t + 1) > 0:
            row, added = out[t], more[t * d_out : (t + 1) * d_out]
            for k in range(d_out):
                row[k] += added[k]
