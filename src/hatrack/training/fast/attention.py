"""Attention for a packed line: each row sees itself and the shared beginning, and nothing else (F14).

It is registered with transformers as one more attention function, so that every architecture that asks for attention
through that interface can run a packed line with its own, unchanged code.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from hatrack.training.fast.layout import Layout
from hatrack.training.fast.small_attention import SmallAttention, small_attention

__all__ = ["ROWS", "packed_attention", "rows_attention", "small_of", "watched"]

ROWS = "hatrack_rows"


def rows_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    layout: Layout | None = None,
    **rest: Any,
) -> tuple[torch.Tensor, None]:
    """``query``, ``key`` and ``value`` are ``[1, heads, total, d]``; the result is ``[1, total, heads, d]``.

    Raises:
        NotImplementedError: the architecture asks for more than scaled, masked dot products, or hands on no layout.
    """
    more = [name for name in ("softcap", "s_aux", "position_bias") if rest.get(name) is not None]
    if layout is None or more:
        raise NotImplementedError(f"packed attention without {', '.join(more) or 'layout'}")
    causal = _causal(module, rest.get("is_causal"))
    small = small_of(module, query, key, layout, dropout, sliding_window, rest.get("is_causal"))
    if small is not None:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        tokens = [x[0].transpose(0, 1) for x in (query, key, value)]
        return small_attention(small, tokens[0], tokens[1], tokens[2], scale)[None], None
    attend = partial(scaled_dot_product_attention, dropout_p=dropout, scale=scaling, enable_gqa=query.shape[1] > key.shape[1])
    width, shared, (q, k, v) = query.shape[-1], layout.shared, (_tokens(x) for x in (query, key, value))
    queries, keys, values = (_heads(layout.grid(x[shared:]), width) for x in (q, k, v))
    if shared:
        first = [_heads(x[None, :shared], width) for x in (q, k, v)]
        near = None if sliding_window is None or sliding_window >= shared else _near(shared, sliding_window, query)
        begin = attend(first[0], first[1], first[2], attn_mask=near, is_causal=near is None)
        keys, values = (torch.cat([x.expand(layout.rows, -1, -1, -1), y], 2) for x, y in ((first[1], keys), (first[2], values)))
    mask = layout.mask(causal, sliding_window, query.dtype)
    own = attend(queries, keys, values, attn_mask=mask, is_causal=causal and mask is None)
    line = layout.line(own.transpose(1, 2).flatten(2))
    if shared:
        line = torch.cat([begin.transpose(1, 2).flatten(2)[0], line])
    return line.view(1, len(line), -1, width), None


def small_of(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    layout: Layout,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    **rest: Any,
) -> SmallAttention | None:
    """How to attend by plain products, for ``query`` and ``key`` as above; None where that will not do."""
    if dropout or query.device.type != "cpu" or query.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return None
    return SmallAttention.of(layout, (query.shape[1], key.shape[1]), _causal(module, is_causal), sliding_window)


def _causal(module: torch.nn.Module, declared: bool | None) -> bool:
    return bool(getattr(module, "is_causal", True) if declared is None else declared)


@contextlib.contextmanager
def packed_attention(base: Any) -> Iterator[None]:
    """Let ``base`` attend by rows; its own way comes back afterwards."""
    before = base.config._attn_implementation
    base.config._attn_implementation = ROWS
    try:
        yield
    finally:
        base.config._attn_implementation = before


@contextlib.contextmanager
def watched(watch: Callable[..., Any]) -> Iterator[None]:
    """``watch`` is called in place of ``rows_attention``."""
    AttentionInterface.register(ROWS, watch)
    try:
        yield
    finally:
        AttentionInterface.register(ROWS, rows_attention)


def _near(length: int, window: int, like: torch.Tensor) -> torch.Tensor:
    """Numbers to add ``[length, length]``: a token sees itself and ``window - 1`` before it."""
    distance = torch.arange(length, device=like.device)[:, None] - torch.arange(length, device=like.device)
    return like.new_zeros(length, length).masked_fill((distance < 0) | (distance >= window), torch.finfo(like.dtype).min)


def _tokens(x: torch.Tensor) -> torch.Tensor:
    """``[1, heads, total, d]`` to ``[total, heads * d]``."""
    return x[0].transpose(0, 1).flatten(1)


def _heads(grid: torch.Tensor, width: int) -> torch.Tensor:
    """``[n, t, heads * d]`` to ``[n, heads, t, d]``."""
    return grid.view(*grid.shape[:2], -1, width).transpose(1, 2)


AttentionInterface.register(ROWS, rows_attention)
