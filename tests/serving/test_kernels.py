"""The compiled loops against numpy, where they do something else than numpy does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hatrack.serving.kernels.activation import gated
from hatrack.serving.kernels.adapters import adapt, pack, packed_size
from hatrack.serving.kernels.attention import BLOCK, attend, store
from hatrack.serving.kernels.exponential import exponential
from hatrack.serving.kernels.halve import halve


def test_the_exponential_is_right_to_the_last_digits_and_ends_where_floats_end():
    x = np.concatenate([np.linspace(-87, 88, 200_001), [0.0, -0.0, 1e-30]]).astype(np.float32)
    out = np.empty_like(x)
    exponential(x, out)
    np.testing.assert_allclose(out, np.exp(x.astype(np.float64)), rtol=6e-6)
    near = np.abs(x) < 1
    np.testing.assert_allclose(out[near], np.exp(x[near].astype(np.float64)), rtol=3e-7)
    odd = np.array([-np.inf, -1e9, 1e9, np.nan], np.float32)
    out = np.empty_like(odd)
    exponential(odd, out)
    assert 0 <= out[0] == out[1] < 2e-38
    assert 1e38 < out[2] < np.inf
    assert np.isnan(out[3]), "a fault must be seen, not smoothed"


def test_the_activation_is_silu_times_up():
    rng = np.random.default_rng(0)
    both = (10 * rng.standard_normal((3, 34))).astype(np.float32)
    out = np.empty((3, 17), np.float32)
    gated(both, out)
    gate, up = both[:, :17].astype(np.float64), both[:, 17:]
    np.testing.assert_allclose(out, gate / (1 + np.exp(-gate)) * up, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 3, 4, 6])
@pytest.mark.parametrize(("d_in", "widths"), [(24, (10, 14)), (32, (16, 48)), (7, (1, 33))])
def test_tokens_that_share_an_adapter_are_computed_as_if_alone(rank, d_in, widths):
    """F25, for any rank, any run of neighbours, and sizes that sixteen numbers at once do not divide."""
    rng = np.random.default_rng(rank)
    sizes = [packed_size(d_in, width, rank) for width in widths]
    pairs = {
        (s, n): (rng.standard_normal((rank, d_in)).astype(np.float32), rng.standard_normal((width, rank)).astype(np.float32))
        for s in (1, 2)
        for n, width in enumerate(widths)
    }
    arena = np.full((3, sum(sizes)), np.nan, np.float32)
    for s in (1, 2):
        arena[s] = np.concatenate([pack(*pairs[s, n]) for n in range(2)])
    offset = np.tile(np.array([[0, sizes[0]]]), (3, 1))
    ranks = np.full((3, 2), rank, np.int32)
    ranks[0] = 0
    slot = np.array([0, *[1] * 11, 2, 0, *[2] * 3], np.int32)
    x, before = (rng.standard_normal((len(slot), d)).astype(np.float32) for d in (d_in, sum(widths)))
    bias = rng.standard_normal(sum(widths)).astype(np.float32)
    places = np.array([0, 1]), np.array([0, widths[0], sum(widths)])

    def run(rows: slice) -> np.ndarray:
        y = before[rows].copy()
        adapt(x[rows].copy(), y, bias, arena, offset, ranks, slot[rows], *places)
        return y

    together = run(slice(None))
    for t in range(len(slot)):
        assert (together[t] == run(slice(t, t + 1))[0]).all()
    for t, s in enumerate(slot):
        expected = before[t].copy()
        for n in range(2 if s else 0):
            a, b = pairs[s, n]
            expected[places[1][n] : places[1][n + 1]] += b @ (a @ x[t])
        np.testing.assert_allclose(together[t], expected + bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("head", [12, 64, 80])
def test_attention_over_scattered_blocks_is_the_softmax_of_what_the_blocks_hold(head, half):
    """Two sequences whose blocks lie in any order beside blocks full of NaN; the tokens of one step, and each of them alone.

    What lies between two bfloat16 may be rounded either way, since numpy turns keys with other roundings.
    """
    rng = np.random.default_rng(head)
    heads, kv_heads, lengths = 4, 2, (37, 5)
    table = np.array([[3, 0, 5], [2, 0, 0]], np.int32)
    bad = 0x7FC0 if half else np.nan
    keys, values = (np.full((7, kv_heads, BLOCK, head), bad, np.uint16 if half else np.float32) for _ in range(2))
    angle = rng.uniform(0, 6, (max(lengths), head // 2))
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    position = np.concatenate([np.arange(n) for n in lengths]).astype(np.int32)
    row = np.repeat(np.arange(2), lengths).astype(np.int32)
    qkv = rng.standard_normal((sum(lengths), (heads + 2 * kv_heads) * head)).astype(np.float32)
    store(qkv, position, row, table, cos, sin, keys, values, heads)
    out = np.full((sum(lengths), heads * head), np.nan, np.float32)
    attend(qkv, position, row, table, cos, sin, keys, values, heads, out)

    def turned(x: np.ndarray) -> np.ndarray:
        low, high = x[..., : head // 2], x[..., head // 2 :]
        c, s = cos[position][:, None], sin[position][:, None]
        return np.concatenate([low * c - high * s, high * c + low * s], axis=-1)

    q, k, v = np.split(qkv.reshape(len(qkv), -1, head), [heads, heads + kv_heads], axis=1)
    q, k = turned(q), turned(k)
    if half:
        k, v = (torch.from_numpy(np.ascontiguousarray(x)).bfloat16().float().numpy() for x in (k, v))
    for t in range(len(qkv)):
        own = (row == row[t]) & (position <= position[t])
        for h in range(heads):
            scores = k[own, h // 2] @ q[t, h] / np.sqrt(head)
            share = np.exp(scores - scores.max())
            expected = share @ v[own, h // 2] / share.sum()
            np.testing.assert_allclose(out[t, h * head : (h + 1) * head], expected, rtol=2e-4, atol=2e-3 if half else 2e-5)
        alone = np.empty((1, heads * head), np.float32)
        attend(qkv[t : t + 1], position[t : t + 1], row[t : t + 1], table, cos, sin, keys, values, heads, alone)
        assert (alone[0] == out[t]).all()


def test_lanes_of_a_rows_end_touch_nothing_beside_it():
    numbers, out = np.arange(40, dtype=np.float32), np.full(60, 7, np.uint16)
    halve(numbers[:37], out[5:42])
    assert (out[:5] == 7).all()
    assert (out[42:] == 7).all()
    assert (out[5:42] == torch.arange(37.0).bfloat16().view(torch.int16).numpy().view(np.uint16)).all()
