"""The base's product in 8 bits and every token's adapter at the same time: ``W x + B A x + bias``.

A product of sixteen rows waits for the processor, adapters mostly for memory; so every other thread begins with its share
of the adapters while its neighbours multiply.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.adapters import adapts, add_adapters
from hatrack.serving.kernels.bytes import multiply_groups
from hatrack.serving.kernels.panels import panels_of
from hatrack.serving.kernels.vectors import LANES

__all__ = ["multiply_and_adapt"]


@compiled(parallel=True)
def multiply_and_adapt(
    x: np.ndarray,
    packed: np.ndarray,
    fine: np.ndarray,
    columns: np.ndarray,
    factor: np.ndarray,
    bias: np.ndarray,
    out: np.ndarray,
    more: np.ndarray,
    arena: np.ndarray,
    offset: np.ndarray,
    rank: np.ndarray,
    slot: np.ndarray,
    target: np.ndarray,
    start: np.ndarray,
    workers: int,
) -> None:
    """See the module; ``packed`` to ``factor`` as in ``bytes.multiply``, the rest as in ``adapters.adapt``.

    Args:
        out: ``[tokens, d_out]``. more: ``[tokens, d_out or more]``, room for what the adapters add. workers: threads that share the work.
    """
    tokens, d_out = out.shape
    panels, heads = panels_of(x, columns)
    flat, groups = out.reshape(out.size), packed.shape[0] // (panels.shape[1] * LANES)
    for worker in prange(workers):
        first, end = worker * groups // workers, (worker + 1) * groups // workers
        begins, ends = worker * tokens // workers, (worker + 1) * tokens // workers
        if worker % 2:
            multiply_groups(panels, heads, packed, fine, factor, flat, tokens, d_out, first, end)
            add_adapters(x, more, begins, ends, d_out, arena, offset, rank, slot, target, start)
        else:
            add_adapters(x, more, begins, ends, d_out, arena, offset, rank, slot, target, start)
            multiply_groups(panels, heads, packed, fine, factor, flat, tokens, d_out, first, end)
    biased = bias.shape[0] > 0
    for t in prange(tokens):
        row = out[t]
        if adapts(rank, slot[t], target):
            added = more[t]
            for k in range(d_out):
                row[k] += added[k]
        if biased:
            for k in range(d_out):
                row[k] += bias[k]
