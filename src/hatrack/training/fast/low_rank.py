"""Linear layers and their low-rank adapters as one operation, forwards and backwards.

PEFT computes ``W x``, then ``B A x``, then scales it, then adds it, and autograd walks back through each of these; for
queries, keys and values three times over the same ``x``. With few rows, many small products cost more than their
arithmetic. Here all layers that read the same input are one: ``W`` and ``A`` of all of them lie under each other in one
matrix, so that one product gives their outputs and what the adapters need, and one gives the input's gradient.
(Unsloth's LoRA kernels have the same aim by other means.)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from hatrack.training.fast.products import Product

__all__ = ["fuse_low_rank"]


class _Stack:
    """Plain LoRA layers that read the same input.

    ``upper`` is ``[n + r, d_in]``: the frozen weights under each other, then each ``A``. ``lower`` is ``[r, n]``: each
    ``B`` transposed, at its place. ``scales`` is ``[r]``: the factor of each row of ``A``. ``n`` and ``r`` are sums over
    the layers.
    """

    def __init__(self, layers: Sequence[tuple[Any, str]], product: Product) -> None:
        self.product = product
        bases = [layer.base_layer for layer, _ in layers]
        self._a = [layer.lora_A[name].weight for layer, name in layers]
        self._b = [layer.lora_B[name].weight for layer, name in layers]
        self.outputs = [len(b) for b in self._b]
        self.ranks = [len(a) for a in self._a]
        self.n, r = sum(self.outputs), sum(self.ranks)
        self.upper = torch.cat([*(base.weight.data for base in bases), self._a[0].new_zeros(r, self._a[0].shape[1])])
        for base, part in zip(bases, torch.split(self.upper[: self.n], self.outputs), strict=True):
            base.weight.data = part  # nothing is held twice
        self.bias = None
        if any(base.bias is not None for base in bases):
            found = [base.weight.new_zeros(len(base.weight)) if base.bias is None else base.bias.data for base in bases]
            self.bias = torch.cat([*found, self.upper.new_zeros(r)])
        self.scales = torch.cat([a.new_full((len(a),), layer.scaling[name]) for a, (layer, name) in zip(self._a, layers, strict=True)])
        self.lower = self.upper.new_zeros(r, self.n)
        self._places = list(self._find_places())
        self._copies = [*torch.split(self.upper[self.n :], self.ranks), *(self.lower[place] for place in self._places)]
        self._given: torch.Tensor | None = None
        self._made: dict[int, torch.Tensor] = {}  # outputs that nobody has fetched yet

    def output(self, number: int, x: torch.Tensor) -> torch.Tensor:
        """What layer ``number`` makes of ``x``: the first that is asked computes it for all."""
        if x is not self._given or number not in self._made:
            rows = x.reshape(-1, x.shape[-1])
            outputs = _LowRankLinears.apply(self, rows, *self._a, *self._b)  # type: ignore[no-untyped-call]
            self._given, self._made = x, dict(enumerate(outputs))
        out = self._made.pop(number)
        if not self._made:
            self._given = None
        return out.view(*x.shape[:-1], out.shape[-1])

    @property
    def versions(self) -> tuple[int, ...]:
        """Another one after each step of the optimizer."""
        return tuple(weight._version for weight in (*self._a, *self._b))

    def refresh(self) -> None:
        """Copy the adapters into the two matrices: all in one call, a step makes many of these."""
        torch._foreach_copy_(self._copies, [*self._a, *(b.t() for b in self._b)])

    def _find_places(self) -> Iterator[tuple[slice, slice]]:
        """Of each layer: its rows and its columns in ``lower``."""
        row = column = 0
        for rank, width in zip(self.ranks, self.outputs, strict=True):
            yield slice(row, row + rank), slice(column, column + width)
            row, column = row + rank, column + width

    def each(self, of_lower: torch.Tensor) -> list[torch.Tensor]:
        """The gradient of each ``B`` from that of ``lower``, transposed: ``[n, r]``."""
        return [of_lower[columns, rows] for rows, columns in self._places]


class _LowRankLinears(torch.autograd.Function):
    """``y = x Wᵀ + bias + scale · x Aᵀ Bᵀ`` of all layers of a stack; ``x`` is ``[rows, d_in]``."""

    @staticmethod
    def forward(ctx: Any, stack: _Stack, x: torch.Tensor, *weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        stack.refresh()
        both = stack.product(x, stack.upper, stack.bias)
        out = both[:, : stack.n]
        inner = both[:, stack.n :] * stack.scales  # a tensor of its own, or it would keep the outputs too
        out.addmm_(inner, stack.lower)
        ctx.stack, ctx.versions = stack, stack.versions
        ctx.save_for_backward(x, inner)
        return torch.split(out, stack.outputs, dim=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        stack, (x, inner) = ctx.stack, ctx.saved_tensors
        if ctx.versions != stack.versions:
            raise RuntimeError("an adapter was changed between a forward pass and its backward pass")
        both = x.new_empty(len(x), len(stack.upper))
        of_out, of_inner = both[:, : stack.n], both[:, stack.n :]
        torch.cat(gradients, dim=1, out=of_out)
        torch.mm(of_out, stack.lower.t(), out=of_inner).mul_(stack.scales)
        of_x = stack.product(both, stack.upper.t(), None) if ctx.needs_input_grad[1] else None
        of_a = torch.split(of_inner.t() @ x, stack.ranks)
        return None, of_x, *of_a, *stack.each(of_out.t() @ inner)


def fuse_low_rank(
    adapted: nn.Module, run: Callable[[], Any], alone: Collection[nn.Module] = (), product: Product = nn.functional.linear
) -> Callable[[], None] | None:
    """Let the plain LoRA layers of PEFT in ``adapted`` run as one operation for each input; returns what undoes it.

    Plain means one adapter, in full precision, on a linear layer, without dropout, magnitudes or a bias of its own; None
    where there is no such layer.

    Args:
        adapted: the model with its adapter.
        run: a forward pass of it, which shows what reads the same input.
        alone: modules whose layers are given inputs of their own at times.
        product: what computes ``x Wᵀ + bias``.
    """
    layers = dict(_plain_layers(adapted))
    single = {layer for module in alone for layer in module.modules()}
    fused = []
    for group in _same_input(layers, run):
        parts = [[layer] for layer in group] if single & set(group) else [group]
        for part in parts:
            stack = _Stack([(layer, layers[layer]) for layer in part], product)
            for number, layer in enumerate(part):
                layer.forward = _forward(layer, stack, number, layer.forward)
                fused.append(layer)

    def undo() -> None:
        for layer in fused:
            del layer.forward

    return undo if fused else None


def _same_input(layers: Collection[Any], run: Callable[[], Any]) -> list[list[Any]]:
    """The layers that are called one after the other with the very same tensor, once in a pass."""
    calls: list[tuple[Any, torch.Tensor]] = []
    hooks = [layer.register_forward_pre_hook(lambda layer, args: calls.append((layer, args[0]))) for layer in layers]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    groups: list[list[Any]] = []
    last: torch.Tensor | None = None
    for layer, x in calls:
        if x is not last:
            groups.append([])
        groups[-1].append(layer)
        last = x
    called = [layer for layer, _ in calls]
    return [group for group in groups if all(called.count(layer) == 1 for layer in group)]


def _plain_layers(adapted: nn.Module) -> Iterator[tuple[Any, str]]:
    from peft.tuners.lora.layer import Linear

    for layer in adapted.modules():
        if type(layer) is not Linear or len(layer.active_adapters) != 1 or "forward" in vars(layer):
            continue
        [name] = layer.active_adapters
        base = layer.base_layer
        plain = (
            type(base) is nn.Linear
            and name in layer.lora_A
            and name not in layer.lora_variant
            and isinstance(layer.lora_dropout[name], nn.Identity)
            and layer.lora_B[name].bias is None
            and not base.weight.requires_grad
            and (base.bias is None or not base.bias.requires_grad)
            and {base.weight.dtype, layer.lora_A[name].weight.dtype, layer.lora_B[name].weight.dtype} == {torch.float32}
        )
        if plain:
            yield layer, name


def _forward(layer: Any, stack: _Stack, number: int, plain: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        # merged or switched off (a reference without the adapter): PEFT knows what that means
        if layer.disable_adapters or layer.merged or args or kwargs or x.dtype != torch.float32 or torch.is_autocast_enabled(x.device.type):
            return plain(x, *args, **kwargs)
        return stack.output(number, x)

    return forward
