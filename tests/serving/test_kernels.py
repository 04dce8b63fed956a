"""The compiled loops against numpy, where they do something else than numpy does."""

from __future__ import annotations

import numpy as np
import pytest

from hatrack.serving.kernels.activation import gated
from hatrack.serving.kernels.adapters import adapt
from hatrack.serving.kernels.exponential import exponential
from hatrack.serving.kernels.norm import rescale


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


def test_a_row_is_divided_by_its_largest_magnitude():
    row = np.array([0.5, -4, 1], np.float32)
    assert rescale(row) == 4
    assert row.tolist() == [0.125, -1, 0.25]
    zeros = np.zeros(3, np.float32)
    assert rescale(zeros) == 1
    assert not zeros.any()
    assert np.isnan(rescale(np.array([1, np.nan], np.float32)))


def test_the_activation_is_silu_times_up():
    rng = np.random.default_rng(0)
    both = (10 * rng.standard_normal((3, 34))).astype(np.float32)
    out, scale = np.empty((3, 17), np.float32), np.empty(3, np.float32)
    gated(both, out, scale, True)
    gate, up = both[:, :17].astype(np.float64), both[:, 17:]
    np.testing.assert_allclose(out * scale[:, None], gate / (1 + np.exp(-gate)) * up, rtol=1e-5, atol=1e-6)
    assert np.abs(out).max(1).tolist() == [1, 1, 1]


@pytest.mark.parametrize("rank", [1, 3, 4, 6])
def test_tokens_that_share_an_adapter_are_computed_as_if_alone(rank):
    """F25, for any rank and any run of neighbours."""
    rng = np.random.default_rng(rank)
    d_in, widths, slots = 24, (10, 14), 3
    size = rank * (d_in + widths[0]) + rank * (d_in + widths[1])
    arena = rng.standard_normal((slots, size)).astype(np.float32)
    offset = np.tile(np.array([[0, rank * (d_in + widths[0])]]), (slots, 1))
    ranks = np.full((slots, 2), rank, np.int32)
    ranks[0] = 0
    slot = np.array([0, *[1] * 11, 2, 0, *[2] * 3], np.int32)
    x, before = (rng.standard_normal((len(slot), d)).astype(np.float32) for d in (d_in, sum(widths)))
    scale, bias = rng.uniform(1, 2, len(slot)).astype(np.float32), rng.standard_normal(sum(widths)).astype(np.float32)
    places = np.array([0, 1]), np.array([0, widths[0], sum(widths)])

    def run(rows: slice) -> np.ndarray:
        y = before[rows].copy()
        adapt(x[rows].copy(), scale[rows], y, bias, arena, offset, ranks, slot[rows], *places)
        return y

    together = run(slice(None))
    for t in range(len(slot)):
        assert (together[t] == run(slice(t, t + 1))[0]).all()
    for t, s in enumerate(slot):
        expected = before[t].copy()
        for n in range(2 if s else 0):
            first = offset[s, n]
            a = arena[s, first : first + rank * d_in].reshape(rank, d_in)
            b = arena[s, first + rank * d_in : first + rank * (d_in + widths[n])].reshape(rank, widths[n])
            expected[places[1][n] : places[1][n + 1]] += (a @ x[t]) @ b
        np.testing.assert_allclose(together[t], scale[t] * expected + bias, rtol=1e-4, atol=1e-4)
