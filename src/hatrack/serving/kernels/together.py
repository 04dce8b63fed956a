"""The base's product in 8 bits and every token's adapter: ``W x + B A x + bias``.

A product of sixteen rows waits for the processor, adapters mostly for memory; so every other thread begins with its share
of the adapters while its neighbours multiply. Both matrices of an adapter are read at once, since memory is fast only where
much of it is read in a row. Where many tokens share an adapter, as a prompt's do, it is read once for all of them: then
adapters come behind the product, and what they add is added while it lies in the nearest cache.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.byte_adapters import adapt_bytes, largest_rank, run_starts
from hatrack.serving.kernels.bytes import multiply_groups
from hatrack.serving.kernels.panels import panels_of
from hatrack.serving.kernels.vectors import LANES

__all__ = ["multiply_and_adapt", "multiply_then_adapt"]


@compiled(parallel=True)
def multiply_and_adapt(
    x: np.ndarray, packed: np.ndarray, fine: np.ndarray, columns: np.ndarray, factor: np.ndarray, bias: np.ndarray, out: np.ndarray,
    more: np.ndarray, arena: np.ndarray, offset: np.ndarray, rank: np.ndarray, slot: np.ndarray, target: np.ndarray,
    start: np.ndarray, workers: int,
) -> None:  # fmt: skip
    """At the same time; ``packed`` to ``factor`` as in ``bytes.multiply``, the rest as in ``byte_adapters``.

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
        _add_bias(bias, out, first * LANES, min(d_out, end * LANES))
    for t in prange(tokens if adapted else 0):
        if largest_rank(rank, slot, target, t, t + 1) > 0:
            row, added = out[t], more[t * d_out : (t + 1) * d_out]
            for k in range(d_out):
                row[k] += added[k]


@compiled(parallel=True)
def multiply_then_adapt(
    x: np.ndarray, packed: np.ndarray, fine: np.ndarray, columns: np.ndarray, factor: np.ndarray, bias: np.ndarray, out: np.ndarray,
    more: np.ndarray, arena: np.ndarray, offset: np.ndarray, rank: np.ndarray, slot: np.ndarray, target: np.ndarray,
    start: np.ndarray, workers: int,
) -> None:  # fmt: skip
    """The same, to the bit, one after the other."""
    tokens, d_out = out.shape
    panels, heads = panels_of(x, columns)
    flat, groups, d_in = out.reshape(out.size), packed.shape[0] // (panels.shape[1] * LANES), x.shape[1]
    for worker in prange(workers):
        first, end = worker * groups // workers, (worker + 1) * groups // workers
        multiply_groups(panels, heads, packed, fine, factor, flat, tokens, d_out, first, end)
        _add_bias(bias, out, first * LANES, min(d_out, end * LANES))
    starts, shares = run_starts(slot, workers)  # reading counts too: a prompt may stand at one end, answers at the other
    for worker in prange(workers):
        for run in range(shares[worker], shares[worker + 1]):
            begin, end = starts[run], starts[run + 1]
            if largest_rank(rank, slot, target, begin, end) > 0:
                adapt_bytes(panels, heads, begin, end, d_in, more, d_out, arena, offset, rank, slot, target, start)
                for k in range(begin * d_out, end * d_out):
                    flat[k] += more[k]


@compiled(parallel=False)
def _add_bias(bias: np.ndarray, out: np.ndarray, first: int, end: int) -> None:
    """To columns ``first`` to ``end`` of all rows, where there is one."""
    for t in range(out.shape[0] if bias.shape[0] > 0 else 0):
        for k in range(first, end):
            out[t, k] += bias[k]
