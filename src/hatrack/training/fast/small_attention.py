"""Attention of a packed line by plain products, for rows so short that their scores may be held.

torch's own attention never holds its scores, which is made for long rows: with rows of some twenty tokens most of its time
is not arithmetic. Here queries that share a head of keys stand under each other (grouped queries, arXiv:2305.13245), all
rows and heads are one batch of products, and the gradient is written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from hatrack.training.fast.layout import Layout

__all__ = ["SmallAttention", "small_attention"]

_SCORES = 2**20  # numbers, over all rows and heads: 4 MB; with twice as many torch is as fast, and holds none


@dataclass(frozen=True)
class _Part:
    """Queries that look at the same number of keys, as a batch of ``groups`` products.

    Attributes:
        line: which tokens of the line ask.
        queries: where in ``[total * heads]`` each query of the batch stands: ``[groups * q]``.
        keys: where in ``[total * key heads]`` each key stands: ``[groups * k]``.
        padding: queries of the batch that are nobody's.
        back: where in the batch each query of ``line`` stands.
        mask: what is added to the scores, as it is broadcast to ``[groups, q, k]``.
        groups, q, k: see above.
    """

    line: slice
    queries: torch.Tensor
    keys: torch.Tensor
    padding: torch.Tensor
    back: torch.Tensor
    mask: torch.Tensor
    groups: int
    q: int
    k: int


class SmallAttention:
    """How one layout attends, for a number of heads; made once for all blocks.

    Args:
        layout: of the batch.
        heads: of queries, and of keys.
        causal: whether a token sees itself and those before it only.
        window: how many of these.
    """

    def __init__(self, layout: Layout, heads: tuple[int, int], causal: bool, window: int | None) -> None:
        self._heads = heads
        self._parts = list(_parts(layout, heads, causal, window))

    @staticmethod
    def of(layout: Layout, heads: tuple[int, int], causal: bool, window: int | None) -> SmallAttention | None:
        """None where its scores are too many to be held."""
        longest = layout.shared + layout.longest
        if heads[0] * (layout.rows * layout.longest * longest + layout.shared**2) > _SCORES or not (causal or layout.shared == 0):
            return None
        key = (heads, causal, window)
        if key not in layout.notes:
            layout.notes[key] = SmallAttention(layout, heads, causal, window)
        made: SmallAttention = layout.notes[key]
        return made

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, list[tuple[torch.Tensor, ...]]]:
        """``q`` is ``[total * heads, d]``, already scaled, ``k`` and ``v`` are ``[total * key heads, d]``; the output is as ``q``.

        The second result is what ``backward`` wants.
        """
        out = self._room(q)
        kept: list[tuple[torch.Tensor, ...]] = []
        for part in self._parts:
            queries = q.index_select(0, part.queries).view(part.groups, part.q, -1)
            keys, values = (x.index_select(0, part.keys).view(part.groups, part.k, -1) for x in (k, v))
            shares = torch.baddbmm(part.mask, queries, keys.transpose(1, 2)).softmax(-1)
            found = torch.bmm(shares, values).view(-1, q.shape[1])
            torch.index_select(found, 0, part.back, out=out[self._asked(part)])
            kept.append((queries, keys, values, shares))
        return out, kept

    def backward(self, of_out: torch.Tensor, kept: list[tuple[torch.Tensor, ...]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The gradients of ``q``, ``k`` and ``v``."""
        heads, key_heads = self._heads
        of_q = self._room(of_out)
        of_k, of_v = (of_out.new_zeros(len(of_out) // heads * key_heads, of_out.shape[1]) for _ in "kv")
        for part, (queries, keys, values, shares) in zip(self._parts, kept, strict=True):
            of_found = of_out.index_select(0, part.queries)
            if len(part.padding):
                of_found.index_fill_(0, part.padding, 0.0)  # so that nothing else of them counts
            of_found = of_found.view_as(queries)
            of_v.index_add_(0, part.keys, torch.bmm(shares.transpose(1, 2), of_found).flatten(0, 1))
            of_shares = torch.bmm(of_found, values.transpose(1, 2))
            of_scores = torch._softmax_backward_data(of_shares, shares, -1, shares.dtype)
            of_k.index_add_(0, part.keys, torch.bmm(of_scores.transpose(1, 2), queries).flatten(0, 1))
            torch.index_select(torch.bmm(of_scores, keys).flatten(0, 1), 0, part.back, out=of_q[self._asked(part)])
        return of_q, of_k, of_v

    def _room(self, like: torch.Tensor) -> torch.Tensor:
        """For what belongs to each query; zero where a token is of no row."""
        room = torch.empty_like(like)
        room[self._parts[-1].line.stop * self._heads[0] :] = 0.0
        return room

    def _asked(self, part: _Part) -> slice:
        return slice(part.line.start * self._heads[0], part.line.stop * self._heads[0])


def small_attention(attention: SmallAttention, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float) -> torch.Tensor:
    """``[total, heads, d]`` each, also the output."""
    out: torch.Tensor = _Attend.apply(attention, q, k, v, scale)  # type: ignore[no-untyped-call]  # untyped in torch
    return out


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, attention: SmallAttention, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float) -> torch.Tensor:
        out, kept = attention.forward((q * scale).flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1))
        ctx.attention, ctx.scale, ctx.kept = attention, scale, kept
        return out.view(q.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        [of_out] = gradients
        of_q, of_k, of_v = (x.view(len(of_out), -1, of_out.shape[2]) for x in ctx.attention.backward(of_out.flatten(0, 1), ctx.kept))
        return None, of_q.mul_(ctx.scale), of_k, of_v, None


def _parts(layout: Layout, heads: tuple[int, int], causal: bool, window: int | None) -> Iterator[_Part]:
    """The beginning that all rows share, and their own tokens, which see it too."""
    shared, rows, longest, device = layout.shared, layout.rows, layout.longest, layout.ids.device
    if shared:
        begin = torch.arange(shared, device=device)[None]
        yield _part(slice(0, shared), begin, begin, begin[0], heads, _far(shared, shared, causal, window).to(device)[None])
    own = torch.zeros(rows * longest, dtype=torch.long, device=device)
    own[layout.slots] = torch.arange(shared, shared + len(layout.slots), device=device)
    asking = own.view(rows, longest)
    seen = torch.cat([torch.arange(shared, device=device).expand(rows, -1), asking], 1)
    hidden = _far(longest, shared + longest, causal, window).to(device)[None]
    if not causal:  # rows are padded at their end: where a token sees only what is before it, it sees no padding
        real = torch.zeros(rows * longest, dtype=torch.bool, device=device)
        real[layout.slots] = True
        hidden = hidden | ~real.view(rows, 1, longest)
    yield _part(slice(shared, shared + len(layout.slots)), asking, seen, layout.slots, heads, hidden)


def _far(q: int, k: int, causal: bool, window: int | None) -> torch.Tensor:
    """Which of ``k`` tokens each of the last ``q`` of them does not see, by distance."""
    distance = torch.arange(k - q, k)[:, None] - torch.arange(k)[None, :]
    hidden = distance.abs() >= (window or k)
    return hidden | (distance < 0) if causal else hidden


def _part(
    line: slice, asking: torch.Tensor, seen: torch.Tensor, slots: torch.Tensor, heads: tuple[int, int], hidden: torch.Tensor
) -> _Part:
    """``asking`` is ``[rows, q]`` and ``seen`` ``[rows, k]``, tokens of the line; ``slots`` those of ``asking`` that are real.

    The batch goes by head of keys, row, query head of that head, token.
    """
    (rows, q), k, (query_heads, key_heads) = asking.shape, seen.shape[1], heads
    each = query_heads // key_heads
    number = torch.arange(query_heads, device=asking.device).view(key_heads, 1, each, 1)
    queries = asking[None, :, None] * query_heads + number
    keys = seen[None] * key_heads + torch.arange(key_heads, device=asking.device)[:, None, None]
    places = torch.arange(queries.numel(), device=asking.device).view(key_heads, rows, each, q)
    by_token = places.permute(1, 3, 0, 2).reshape(rows * q, query_heads)
    nobody = torch.ones(rows * q, dtype=torch.bool, device=asking.device)
    nobody[slots] = False
    # [rows or 1, q or 1, k] to [key heads * rows or 1, each * q or 1, k]
    mask = torch.zeros(hidden.shape).masked_fill(hidden.cpu(), torch.finfo(torch.float32).min).to(asking.device)
    mask = mask.repeat(key_heads if len(mask) > 1 else 1, each, 1)
    return _Part(
        line, queries.flatten(), keys.flatten(), by_token[nobody].flatten(), by_token[slots].flatten(), mask, key_heads * rows, each * q, k
    )
