"""The base's product in 8 bits and every token's adapter beside it: ``W x + B A x + bias``.

A product of sixteen rows waits for the processor, adapters mostly for memory; so every other thread begins with its share
of ``A x`` while its neighbours multiply. ``B`` is added when all products are there, each thread to a part of the columns.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.byte_adapters import add_outputs, to_ranks
from hatrack.serving.kernels.bytes import multiply_groups
from hatrack.serving.kernels.outputs import SHORT
from hatrack.serving.kernels.panels import panels_of
from hatrack.serving.kernels.vectors import LANES

__all__ = ["multiply_and_adapt"]


@compiled(parallel=True)
def multiply_and_adapt(
    x: np.ndarray, packed: np.ndarray, fine: np.ndarray, columns: np.ndarray, factor: np.ndarray, bias: np.ndarray, out: np.ndarray,
    arena: np.ndarray, offset: np.ndarray, rank: np.ndarray, slot: np.ndarray, target: np.ndarray, start: np.ndarray, workers: int,
) -> None:  # fmt: skip
    """See the module; ``packed`` to ``factor`` as in ``bytes.multiply``, the rest as in ``byte_adapters``.

    Args:
        out: ``[tokens, d_out]``. workers: threads that share the work.
    """
    tokens, d_out = out.shape
    panels, heads = panels_of(x, columns)
    flat, groups = out.reshape(out.size), packed.shape[0] // (panels.shape[1] * LANES)
    most = _largest_rank(rank, slot, target)
    room = (most + LANES - 1) // LANES * LANES
    ranked, ranked_heads = np.empty(target.shape[0] * tokens * room, np.int8), np.empty(target.shape[0] * tokens * SHORT, np.int32)
    for worker in prange(workers):
        first, end = worker * groups // workers, (worker + 1) * groups // workers
        begins, ends = worker * tokens // workers, (worker + 1) * tokens // workers
        if worker % 2 and most > 0:
            to_ranks(panels, heads, begins, ends, arena, offset, rank, slot, target, ranked, ranked_heads)
        multiply_groups(panels, heads, packed, fine, factor, flat, tokens, d_out, first, end)
        if worker % 2 == 0 and most > 0:
            to_ranks(panels, heads, begins, ends, arena, offset, rank, slot, target, ranked, ranked_heads)
        _add_bias(bias, out, first * LANES, min(d_out, end * LANES))
    for part in prange(workers if most > 0 else 0):
        begins, ends = part * tokens // workers, (part + 1) * tokens // workers
        add_outputs(ranked, ranked_heads, begins, ends, 0, 1, x.shape[1], flat, d_out, arena, offset, rank, slot, target, start)


@compiled(parallel=False)
def _largest_rank(rank: np.ndarray, slot: np.ndarray, target: np.ndarray) -> int:
    """Of all adapters of these tokens on these layers."""
    most = 0
    for t in range(slot.shape[0]):
        for n in range(target.shape[0]):
            most = max(most, rank[slot[t], target[n]])
    return most


@compiled(parallel=False)
def _add_bias(bias: np.ndarray, out: np.ndarray, first: int, end: int) -> None:
    for t in range(out.shape[0] if bias.shape[0] > 0 else 0):
        for k in range(first, end):
            out[t, k] += bias[k]
