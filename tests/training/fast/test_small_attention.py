"""Attention by plain products is that of each row alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from hatrack.training.fast import small_attention as module
from hatrack.training.fast.attention import rows_attention
from hatrack.training.fast.layout import pack
from hatrack.training.fast.small_attention import SmallAttention

WIDTH = 8


def line(lengths, shared, heads, key_heads):
    """A layout, and queries, keys and values ``[1, heads, total, d]`` that want gradients."""
    mask = torch.tensor([[1] * (shared + n) + [0] * (max(lengths) - n) for n in lengths])
    ids = torch.randint(5, 50, mask.shape)
    ids[:, :shared] = 7
    layout = pack(ids, mask, shared)
    torch.manual_seed(0)
    tensors = [torch.randn(1, n, len(layout.ids), WIDTH, requires_grad=True) for n in (heads, key_heads, key_heads)]
    return layout, tensors


def alone(layout, q, k, v, causal, window, scale):
    """Each row by itself, with the shared beginning before it: ``[1, total, heads, d]``."""
    shared, at = layout.shared, layout.shared
    out = []
    for number, length in enumerate(layout.lengths):
        places = [*range(shared), *range(at, at + length)]
        distance = torch.arange(len(places))[:, None] - torch.arange(len(places))[None]
        seen = (distance.abs() < (window or 999)) & ((distance >= 0) | (not causal))
        row = scaled_dot_product_attention(q[:, :, places], k[:, :, places], v[:, :, places], attn_mask=seen, scale=scale, enable_gqa=True)
        out.append(row[0].transpose(0, 1)[0 if number == 0 else shared :])
        at += length
    return torch.cat(out)[None]


@pytest.mark.parametrize("heads", [(4, 4), (6, 2), (3, 1)], ids=str)
@pytest.mark.parametrize(
    ("lengths", "shared", "causal", "window"),
    [
        ([3, 5, 1], 4, True, None),
        ([3, 5, 1], 0, True, None),
        ([4, 4], 2, True, None),
        ([6], 0, True, None),
        ([3, 9, 2], 6, True, 4),
        ([3, 5, 1], 0, False, None),
        ([3, 9, 1], 0, False, 3),
    ],
)
def test_output_and_gradients_are_those_of_each_row_alone(heads, lengths, shared, causal, window):
    layout, tensors = line(lengths, shared, *heads)
    assert SmallAttention.of(layout, heads, causal, window) is not None
    results = []
    for attend in (
        lambda q, k, v: rows_attention(
            torch.nn.Module(), q, k, v, None, scaling=0.3, sliding_window=window, layout=layout, is_causal=causal
        )[0],
        lambda q, k, v: alone(layout, q, k, v, causal, window, 0.3),
    ):
        out = attend(*tensors)
        weight = torch.linspace(-1, 1, out.numel()).view(out.shape)
        results.append([out, *torch.autograd.grad((out * weight).sum(), tensors)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_many_scores_are_not_held(monkeypatch):
    layout, _ = line([3, 5], 2, 4, 2)
    monkeypatch.setattr(module, "_SCORES", 4 * (2 * 5 * 7 + 4) - 1)
    assert SmallAttention.of(layout, (4, 2), True, None) is None
    monkeypatch.setattr(module, "_SCORES", 4 * (2 * 5 * 7 + 4))
    assert SmallAttention.of(layout, (4, 2), True, None) is not None


def test_it_is_made_once_for_all_blocks():
    layout, _ = line([3, 5], 2, 4, 2)
    assert SmallAttention.of(layout, (4, 2), True, None) is SmallAttention.of(layout, (4, 2), True, None)
    assert SmallAttention.of(layout, (4, 2), True, 3) is not SmallAttention.of(layout, (4, 2), True, None)


@pytest.mark.parametrize("window", [None, 4])
def test_long_rows_with_a_window_see_the_same(window, monkeypatch):
    layout, tensors = line([3, 9, 2], 6, 4, 2)
    small = rows_attention(torch.nn.Module(), *tensors, None, sliding_window=window, layout=layout)[0]
    monkeypatch.setattr(module, "_SCORES", 0)
    torch.testing.assert_close(rows_attention(torch.nn.Module(), *tensors, None, sliding_window=window, layout=layout)[0], small)
