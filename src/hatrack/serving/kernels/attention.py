"""Rotary positions (Su et al. 2021) and causal attention over KV blocks, for tokens of any mix of sequences.

Keys and values lie in blocks ``[blocks, kv_heads, BLOCK, head]`` that a sequence reaches through its row of a table,
as in PagedAttention (Kwon et al. 2023). Query heads that share a key head (Ainslie et al. 2023) are computed together.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.exponential import exponential

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
        mixed = np.zeros((group, head), np.float32)
        for b in range(p // BLOCK + 1):
            page = values[mine[b], h]
            for place in range(min(BLOCK, p + 1 - b * BLOCK)):
                value = page[place]
                for g in range(group):
                    into, share = mixed[g], weight[g, b * BLOCK + place]
                    for i in range(head):
                        into[i] += share * value[i]
        out[t, h * group * head : (h + 1) * group * head] = mixed.reshape(group * head)


@compiled(parallel=False)
def _weigh(queries: np.ndarray, cos: np.ndarray, sin: np.ndarray, keys: np.ndarray, mine: np.ndarray, h: int, weight: np.ndarray) -> None:
    """Softmax of the rotated ``queries`` of one token against the keys of its sequence, into ``weight`` ``[group, tokens]``."""
    group, tokens = weight.shape
    head = keys.shape[3]
    half = head // 2
    factor = np.float32(1.0 / np.sqrt(head))
    q = np.empty((group, head), np.float32)
    for g in range(group):
        given, turned = queries[g * head : (g + 1) * head], q[g]
        low, high, turned_low, turned_high = given[:half], given[half:], turned[:half], turned[half:]
        for i in range(half):
            turned_low[i] = (low[i] * cos[i] - high[i] * sin[i]) * factor
            turned_high[i] = (high[i] * cos[i] + low[i] * sin[i]) * factor
    for b in range((tokens - 1) // BLOCK + 1):
        page = keys[mine[b], h]
        for place in range(min(BLOCK, tokens - b * BLOCK)):
            key = page[place]
            for g in range(group):
                query = q[g]
                product = np.float32(0)
                for i in range(head):
                    product += query[i] * key[i]
                weight[g, b * BLOCK + place] = product
    for g in range(group):
        row = weight[g]
        most = row.max()
        for s in range(tokens):
            row[s] -= most
        exponential(row, row)
        total = np.float32(0)
        for s in range(tokens):
            total += row[s]
        inverse = np.float32(1) / total
        for s in range(tokens):
            row[s] *= inverse
