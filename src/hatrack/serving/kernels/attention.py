"""Rotary positions (Su et al. 2021) and causal attention over KV blocks, for tokens of any mix of sequences.

Keys and values lie in blocks ``[blocks, kv_heads, BLOCK, head]`` that a sequence reaches through its row of a table,
as in PagedAttention (Kwon et al. 2023). Query heads that share a key head (Ainslie et al. 2023) are computed together.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange

__all__ = ["BLOCK", "attend", "store"]

BLOCK = 16  # tokens in one block


@compiled(parallel=True)
def store(
    qkv: np.ndarray,
    position: np.ndarray,
    row: np.ndarray,
    table: np.ndarray,
    cos: np.ndarray,
    sin: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    heads: int,
) -> None:
    """Write the rotated keys and the values of all tokens into their blocks.

    Args:
        qkv: ``[tokens, (heads + 2 kv_heads) * head]``.
        position: ``[tokens]``, place of each token in its sequence.
        row: ``[tokens]``, row of ``table`` ``[sequences, blocks of one sequence]``.
        cos, sin: ``[positions, head / 2]``.
    """
    kv_heads, head = keys.shape[1], keys.shape[3]
    half = head // 2
    for t in prange(qkv.shape[0]):
        p = position[t]
        block, place = table[row[t], p // BLOCK], p % BLOCK
        for h in range(kv_heads):
            k, v = (heads + h) * head, (heads + kv_heads + h) * head
            for i in range(half):
                a, b = qkv[t, k + i], qkv[t, k + half + i]
                keys[block, h, place, i] = a * cos[p, i] - b * sin[p, i]
                keys[block, h, place, half + i] = b * cos[p, i] + a * sin[p, i]
            for i in range(head):
                values[block, h, place, i] = qkv[t, v + i]


@compiled(parallel=True)
def attend(
    qkv: np.ndarray,
    position: np.ndarray,
    row: np.ndarray,
    table: np.ndarray,
    cos: np.ndarray,
    sin: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    heads: int,
    out: np.ndarray,
) -> None:
    """``out[t] = softmax(q k^T / sqrt(head)) v`` over all tokens up to and with ``t``'s own; see ``store`` for the rest.

    Args:
        out: ``[tokens, heads * head]``.
    """
    kv_heads, head = keys.shape[1], keys.shape[3]
    group = heads // kv_heads
    for task in prange(qkv.shape[0] * kv_heads):
        t, h = task // kv_heads, task % kv_heads
        p, mine = position[t], table[row[t]]
        weight = np.empty((group, p + 1), np.float32)
        _weigh(qkv[t, h * group * head : (h + 1) * group * head], cos[p], sin[p], keys, mine, h, weight)
        mixed = out[t, h * group * head : (h + 1) * group * head]
        mixed[:] = np.float32(0)
        for s in range(p + 1):
            value = values[mine[s // BLOCK], h, s % BLOCK]
            for g in range(group):
                share = weight[g, s]
                for i in range(head):
                    mixed[g * head + i] += share * value[i]


@compiled(parallel=False)
def _weigh(queries: np.ndarray, cos: np.ndarray, sin: np.ndarray, keys: np.ndarray, mine: np.ndarray, h: int, weight: np.ndarray) -> None:
    """Softmax of the rotated ``queries`` of one token against the keys of its sequence, into ``weight`` ``[group, tokens]``."""
    group, tokens = weight.shape
    head = keys.shape[3]
    half = head // 2
    factor = np.float32(1.0 / np.sqrt(head))
    q = np.empty((group, head), np.float32)
    for g in range(group):
        for i in range(half):
            a, b = queries[g * head + i], queries[g * head + half + i]
            q[g, i] = (a * cos[i] - b * sin[i]) * factor
            q[g, half + i] = (b * cos[i] + a * sin[i]) * factor
    for s in range(tokens):
        key = keys[mine[s // BLOCK], h, s % BLOCK]
        for g in range(group):
            product = np.float32(0)
            for i in range(head):
                product += q[g, i] * key[i]
            weight[g, s] = product
    for g in range(group):
        most = weight[g].max()
        total = np.float32(0)
        for s in range(tokens):
            weight[g, s] = np.exp(weight[g, s] - most)
            total += weight[g, s]
        inverse = np.float32(1) / total
        for s in range(tokens):
            weight[g, s] *= inverse
