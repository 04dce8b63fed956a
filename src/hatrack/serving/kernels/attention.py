"""Rotary positions (Su et al. 2021) and causal attention over KV blocks, for tokens of any mix of sequences.

Keys and values lie in blocks ``[blocks, kv_heads, BLOCK, head]`` that a sequence reaches through its row of a table,
as in PagedAttention (Kwon et al. 2023). Query heads that share a key head (Ainslie et al. 2023) are computed together.
Blocks are float32, or uint16 with the bits of bfloat16; sums are in float32 either way.
"""

from __future__ import annotations

import numpy as np

from hatrack.serving.kernels import compiled, prange
from hatrack.serving.kernels.exponential import exponential
from hatrack.serving.kernels.lanes import LANES, load, load_few, multiply_add, none, put, put_few, spread, total

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
    held_keys, held_values = keys.reshape(keys.size), values.reshape(values.size)
    for t in prange(qkv.shape[0]):
        p, turned = position[t], np.empty(head, np.float32)
        block, place = table[row[t], p // BLOCK], p % BLOCK
        for h in range(kv_heads):
            at = ((block * kv_heads + h) * BLOCK + place) * head
            k, v = (heads + h) * head, (heads + kv_heads + h) * head
            for i in range(half):
                a, b = qkv[t, k + i], qkv[t, k + half + i]
                turned[i] = a * cos[p, i] - b * sin[p, i]
                turned[half + i] = b * cos[p, i] + a * sin[p, i]
            _keep(turned, held_keys, at)
            _keep(qkv[t, v : v + head], held_values, at)


@compiled(parallel=False)
def _keep(numbers: np.ndarray, held: np.ndarray, at: int) -> None:
    few = numbers.shape[0] % LANES
    for i in range(0, numbers.shape[0] - few, LANES):
        put(held, at + i, load(numbers, i))
    if few:
        i = numbers.shape[0] - few
        put_few(held, at + i, load_few(numbers, i, few), few)


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
    held_keys, held_values = keys.reshape(keys.size), values.reshape(values.size)  # views of parts, made in loops, cost more than sums
    for task in prange(qkv.shape[0] * kv_heads):
        t, h = task // kv_heads, task % kv_heads
        p = position[t]
        query, weight, pages = np.empty(head, np.float32), np.empty(p + 1, np.float32), np.empty(p // BLOCK + 1, np.int64)
        for b in range(pages.shape[0]):
            pages[b] = (table[row[t], b] * kv_heads + h) * BLOCK * head
        for g in range(h * group, (h + 1) * group):
            _turn(qkv[t, g * head : (g + 1) * head], cos[p], sin[p], query)
            _weigh(query, held_keys, pages, weight)
            _mix(weight, held_values, pages, out[t, g * head : (g + 1) * head])


@compiled(parallel=False)
def _turn(given: np.ndarray, cos: np.ndarray, sin: np.ndarray, out: np.ndarray) -> None:
    """A query at its place, divided by the root of its length."""
    half = given.shape[0] // 2
    factor = np.float32(1.0 / np.sqrt(given.shape[0]))
    for i in range(half):
        out[i] = (given[i] * cos[i] - given[half + i] * sin[i]) * factor
        out[half + i] = (given[half + i] * cos[i] + given[i] * sin[i]) * factor


@compiled(parallel=False)
def _weigh(query: np.ndarray, keys: np.ndarray, pages: np.ndarray, weight: np.ndarray) -> None:
    """Softmax of a query against the keys of its sequence, into ``weight`` ``[tokens]``; ``pages``: where blocks begin in ``keys``."""
    tokens, head = weight.shape[0], query.shape[0]
    few = head % LANES
    for s in range(tokens):
        key, product = pages[s // BLOCK] + s % BLOCK * head, none()
        for i in range(0, head - few, LANES):
            product = multiply_add(load(query, i), load(keys, key + i), product)
        if few:
            product = multiply_add(load_few(query, head - few, few), load_few(keys, key + head - few, few), product)
        weight[s] = total(product)
    most = weight.max()
    for s in range(tokens):
        weight[s] -= most
    exponential(weight, weight)
    whole = np.float32(0)
    for s in range(tokens):
        whole += weight[s]
    inverse = np.float32(1) / whole
    for s in range(tokens):
        weight[s] *= inverse


@compiled(parallel=False)
def _mix(weight: np.ndarray, values: np.ndarray, pages: np.ndarray, out: np.ndarray) -> None:
    """``out = weight @ values`` of one sequence; four times sixteen columns at once, which stay in registers."""
    tokens, head = weight.shape[0], out.shape[0]
    for i in range(0, head - 4 * LANES + 1, 4 * LANES):
        o0, o1, o2, o3 = none(), none(), none(), none()
        for s in range(tokens):
            share, place = spread(weight[s]), pages[s // BLOCK] + s % BLOCK * head + i
            o0 = multiply_add(share, load(values, place), o0)
            o1 = multiply_add(share, load(values, place + LANES), o1)
            o2 = multiply_add(share, load(values, place + 2 * LANES), o2)
            o3 = multiply_add(share, load(values, place + 3 * LANES), o3)
        put(out, i, o0)
        put(out, i + LANES, o1)
        put(out, i + 2 * LANES, o2)
        put(out, i + 3 * LANES, o3)
    for i in range(head - head % (4 * LANES), head, LANES):
        count, o0 = min(LANES, head - i), none()
        for s in range(tokens):
            o0 = multiply_add(spread(weight[s]), load_few(values, pages[s // BLOCK] + s % BLOCK * head + i, count), o0)
        put_few(out, i, o0, count)
