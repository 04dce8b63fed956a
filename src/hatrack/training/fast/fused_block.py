"""A whole block as one operation, forwards and backwards: norm, attention, norm, gated feed-forward.

An architecture's own code is many small operations, each of which autograd writes down and walks back through; with the few
hundred tokens of a batch they take a quarter of the time of a step. Here the mathematics that the Llama family shares is
written out once, with its gradient. What looks as if it were of this kind is tried as everything else is: where a block
does more (norms of queries, scaled residuals, another activation), the trial shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import silu

from hatrack.training.fast.attention import rows_attention, small_of, watched
from hatrack.training.fast.layout import Layout
from hatrack.training.fast.products import Product
from hatrack.training.fast.stack import Stack, plain_layers, stack

__all__ = ["fuse_blocks"]

# names that the decoder families of transformers share
_GROUPS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)
_NORMS = ("input_layernorm", "post_attention_layernorm")

Back = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]


def fuse_blocks(adapted: nn.Module, blocks: Sequence[nn.Module], run: Callable[[], Any], product: Product) -> Callable[[], None] | None:
    """Let those of ``blocks`` that have the parts of a Llama block run as one operation on packed lines; returns what undoes it.

    None where there is no such block.

    Args:
        adapted: the model with its adapter.
        run: a packed pass of it as in training, which shows how each block asks for attention.
        product: what computes ``x Wᵀ + bias``.
    """
    layers = dict(plain_layers(adapted))
    ways = _ways(run)
    fused = []
    for block in blocks:
        parts = dict(block.named_modules())
        way = ways.get(parts.get("self_attn"))
        fits = all(parts.get(name) in layers for group in _GROUPS for name in group) and all(_is_norm(parts.get(name)) for name in _NORMS)
        if not fits or way is None or way.get("dropout"):
            continue
        groups = [[(parts[name], layers[parts[name]]) for name in group] for group in _GROUPS]
        one = _Block(parts["self_attn"], way, [stack(group, product) for group in groups], [parts[name] for name in _NORMS])
        block.forward = _forward(one, [layer for group in groups for layer, name in group if name], block.forward)
        fused.append(block)

    def undo() -> None:
        for block in fused:
            del block.forward

    return undo if fused else None


class _Block:
    """What of a block stays the same from step to step.

    Args:
        module: its attention.
        way: what that hands on with queries, keys and values: scale, window.
        stacks: queries with keys and values, output, gate with up, down.
        norms: before attention, and before the feed-forward.
    """

    def __init__(self, module: nn.Module, way: dict[str, Any], stacks: Sequence[Stack], norms: Sequence[Any]) -> None:
        self._module, self._way = module, way
        self.stacks = stacks
        self.norms = [(norm.weight.data, _epsilon(norm)) for norm in norms]
        self.width = int(getattr(module, "head_dim", 0))
        self._scale = self.width**-0.5 if way.get("scaling") is None else float(way["scaling"])

    @property
    def versions(self) -> list[tuple[int, ...]]:
        """Others after each step of the optimizer."""
        return [one.versions for one in self.stacks]

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, layout: Layout) -> tuple[torch.Tensor, Back]:
        """The output for ``[total, heads * width]`` each, and what makes the gradients of all three from its own."""
        heads = [x.view(1, len(x), -1, self.width).transpose(1, 2) for x in (q, k, v)]
        small = small_of(self._module, heads[0], heads[1], layout, **self._way)
        if small is not None:
            out, kept = small.forward(*(x.reshape(-1, self.width) for x in (q * self._scale, k, v)))

            def back(of_out: torch.Tensor) -> tuple[torch.Tensor, ...]:
                of_q, of_k, of_v = small.backward(of_out.view(-1, self.width), kept)
                return of_q.mul_(self._scale).view_as(q), of_k.view_as(k), of_v.view_as(v)

            return out.view_as(q), back
        heads = [x.detach().requires_grad_() for x in heads]
        with torch.enable_grad():
            graph = rows_attention(self._module, heads[0], heads[1], heads[2], None, layout=layout, **self._way)[0].reshape(len(q), -1)

        def back_through(of_out: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(x[0].transpose(0, 1).flatten(1) for x in torch.autograd.grad(graph, heads, of_out))

        return graph.detach(), back_through


class _Fused(torch.autograd.Function):
    """``x`` is ``[total, d]``; ``turn`` are the cosines and sines of the positions, ``[total, 1, width]`` each."""

    @staticmethod
    def forward(
        ctx: Any, block: _Block, layout: Layout, turn: tuple[torch.Tensor, torch.Tensor], x: torch.Tensor, *weights: torch.Tensor
    ) -> torch.Tensor:
        qkv, o, gate_up, down = block.stacks
        h1, norm1 = _norm(x, *block.norms[0])
        (q, k, v), inner1 = qkv.forward(h1)
        cos, sin = turn
        attended, back = block.attend(_turned(q, cos, sin, torch.empty_like(q)), _turned(k, cos, sin, torch.empty_like(k)), v, layout)
        [y], inner2 = o.forward(attended)
        y.add_(x)
        h2, norm2 = _norm(y, *block.norms[1])
        (gate, up), inner3 = gate_up.forward(h2)
        gated = silu(gate)
        h3 = gated * up
        [out], inner4 = down.forward(h3)
        if any(ctx.needs_input_grad):
            ctx.block, ctx.turn, ctx.versions = block, turn, block.versions
            ctx.attention = h1, norm1, inner1, back, attended, inner2
            ctx.feed_forward = h2, norm2, inner3, gate, up, gated, h3, inner4
        return out.add_(y)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        block: _Block = ctx.block
        if ctx.versions != block.versions:
            raise RuntimeError("an adapter was changed between a forward pass and its backward pass")
        qkv, o, gate_up, down = block.stacks
        [of_out] = gradients
        h2, norm2, inner3, gate, up, gated, h3, inner4 = ctx.feed_forward
        of_h3, weights4 = _back(down, of_out, h3, inner4)
        both, (of_gate, of_up) = gate_up.room(len(of_out))
        torch.mul(of_h3, gated, out=of_up)
        torch.ops.aten.silu_backward.grad_input(of_h3.mul_(up), gate, grad_input=of_gate)
        of_h2, weights3 = gate_up.backward(both, h2, inner3, into=True)
        of_y = _norm_back(of_h2, norm2, block.norms[1][0], of_out)

        h1, norm1, inner1, back, attended, inner2 = ctx.attention
        of_attended, weights2 = _back(o, of_y, attended, inner2)
        of_q, of_k, of_v = back(of_attended)
        both, rooms = qkv.room(len(of_out))
        cos, sin = ctx.turn[0], -ctx.turn[1]
        _turned(of_q, cos, sin, rooms[0])
        _turned(of_k, cos, sin, rooms[1])
        rooms[2].copy_(of_v)
        wanted = ctx.needs_input_grad[3]  # nothing below the lowest trained block wants a gradient
        of_h1, weights1 = qkv.backward(both, h1, inner1, into=wanted)
        of_x = _norm_back(of_h1, norm1, block.norms[0][0], of_y) if wanted else None
        return None, None, None, of_x, *weights1, *weights2, *weights3, *weights4


def _back(one: Stack, of_out: torch.Tensor, x: torch.Tensor, inner: torch.Tensor) -> tuple[Any, Sequence[torch.Tensor]]:
    """Of a stack of one layer."""
    both, [room] = one.room(len(x))
    room.copy_(of_out)
    return one.backward(both, x, inner, into=True)


def _norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """RMSNorm (arXiv:1910.07467) of ``[total, d]``: the output; what its weight multiplies and the factor of each token."""
    factor = x.square().mean(1, keepdim=True).add_(epsilon).rsqrt_()
    normed = x * factor
    return normed * weight, (normed, factor)


def _norm_back(of_out: Any, kept: tuple[torch.Tensor, torch.Tensor], weight: torch.Tensor, beside: torch.Tensor) -> torch.Tensor:
    """The gradient of what was normed, added to the one that comes around the norm."""
    normed, factor = kept
    of_normed = of_out.mul_(weight)
    along = (of_normed * normed).mean(1, keepdim=True)
    return torch.addcmul(beside, of_normed.addcmul_(normed, along, value=-1), factor)


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Rotary positions (arXiv:2104.09864), the halves of a head against each other: ``[total, heads * width]`` into ``out``."""
    heads, turned = (part.view(len(x), -1, cos.shape[2]) for part in (x, out))
    half = cos.shape[2] // 2
    torch.mul(heads, cos, out=turned)
    turned[..., :half].addcmul_(heads[..., half:], sin[..., :half], value=-1)
    turned[..., half:].addcmul_(heads[..., :half], sin[..., half:])
    return out


def _ways(run: Callable[[], Any]) -> dict[nn.Module | None, dict[str, Any]]:
    """What each attention hands on with its queries: scale, window, dropout."""
    seen: dict[nn.Module | None, dict[str, Any]] = {}

    def watch(module: nn.Module, query: Any, key: Any, value: Any, mask: Any, *, layout: Any = None, **way: Any) -> Any:
        seen[module] = {key: setting for key, setting in way.items() if not isinstance(setting, torch.Tensor)}  # those are of this batch
        return rows_attention(module, query, key, value, mask, layout=layout, **way)

    with watched(watch), torch.no_grad():
        run()
    return seen


def _forward(block: _Block, adapted: Sequence[Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    weights = [weight for one in block.stacks for weight in one.weights]

    def forward(hidden_states: torch.Tensor, *args: Any, layout: Layout | None = None, **kwargs: Any) -> Any:
        turn = kwargs.get("position_embeddings")
        off = any(layer.disable_adapters or layer.merged for layer in adapted)  # for a reference without them
        mixed = hidden_states.dtype != torch.float32 or torch.is_autocast_enabled("cpu")
        if layout is None or turn is None or off or mixed:
            return plain(hidden_states, *args, layout=layout, **kwargs)
        turned = tuple(part[0, :, None] for part in turn)
        return _Fused.apply(block, layout, turned, hidden_states[0], *weights)[None]  # type: ignore[no-untyped-call]  # untyped in torch

    return forward


def _is_norm(norm: Any) -> bool:
    weight = getattr(norm, "weight", None)
    return weight is not None and not weight.requires_grad and weight.dtype == torch.float32 and _epsilon(norm) > 0


def _epsilon(norm: Any) -> float:
    """As the families call it."""
    return float(getattr(norm, "variance_epsilon", getattr(norm, "eps", 0.0)))
