"""Layers of any architecture that read the same input, found by watching a pass, and run as one operation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn

from hatrack.training.fast.products import Product
from hatrack.training.fast.stack import Layer, Stack, plain_layers, stack

__all__ = ["fuse_low_rank"]


class _Shared:
    """A stack whose layers are called one by one by the model's own code."""

    def __init__(self, layers: list[Layer], product: Product) -> None:
        self._stack = stack(layers, product)
        self._adapted = [layer for layer, name in layers if name]
        self._given: torch.Tensor | None = None
        self._made: dict[int, torch.Tensor] = {}  # outputs that nobody has fetched yet

    def acts(self, x: torch.Tensor) -> bool:
        """Whether the stack computes what PEFT would: not where adapters are merged or switched off (for a reference without them)."""
        plain = any(layer.disable_adapters or layer.merged for layer in self._adapted)
        return not plain and x.dtype == torch.float32 and not torch.is_autocast_enabled(x.device.type)

    def output(self, number: int, x: torch.Tensor) -> torch.Tensor:
        """What layer ``number`` makes of ``x``: the first that is asked computes it for all."""
        if x is not self._given or number not in self._made:
            rows = x.reshape(-1, x.shape[-1])
            outputs = _Linears.apply(self._stack, rows, *self._stack.weights)  # type: ignore[no-untyped-call]  # untyped in torch
            self._given, self._made = x, dict(enumerate(outputs))
        out = self._made.pop(number)
        if not self._made:
            self._given = None
        return out.view(*x.shape[:-1], out.shape[-1])


class _Linears(torch.autograd.Function):
    """The outputs of all layers of a stack; ``x`` is ``[rows, d_in]``."""

    @staticmethod
    def forward(ctx: Any, one: Stack, x: torch.Tensor, *weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        out, inner = one.forward(x)
        ctx.stack, ctx.versions = one, one.versions
        ctx.save_for_backward(x, inner)
        return tuple(out)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        one, (x, inner) = ctx.stack, ctx.saved_tensors
        if ctx.versions != one.versions:
            raise RuntimeError("an adapter was changed between a forward pass and its backward pass")
        both, rooms = one.room(len(x))
        torch._foreach_copy_(rooms, gradients)
        of_x, of_weights = one.backward(both, x, inner, into=ctx.needs_input_grad[1])
        return None, of_x, *of_weights


def fuse_low_rank(
    adapted: nn.Module, run: Callable[[], Any], alone: Collection[nn.Module] = (), product: Product = nn.functional.linear
) -> Callable[[], None] | None:
    """Let the plain LoRA layers of PEFT in ``adapted`` run as one operation for each input; returns what undoes it.

    None where there is no such layer. Layers without an adapter that read the same input are taken along.

    Args:
        adapted: the model with its adapter.
        run: a forward pass of it, which shows what reads the same input.
        alone: modules whose layers are given inputs of their own at times.
        product: what computes ``x Wᵀ + bias``.
    """
    layers = dict(plain_layers(adapted))
    if not any(layers.values()):
        return None
    single = {layer for module in alone for layer in module.modules()}
    fused = []
    for group in _same_input(layers, run):
        parts = [[layer] for layer in group] if single & set(group) else [group]
        for part in parts:
            if not any(layers[layer] for layer in part):
                continue
            shared = _Shared([(layer, layers[layer]) for layer in part], product)
            for number, layer in enumerate(part):
                fused.append((layer, vars(layer).get("forward")))
                layer.forward = _forward(shared, number, layer.forward)

    def undo() -> None:
        for layer, before in fused:
            del layer.forward
            if before is not None:
                layer.forward = before

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


def _forward(shared: _Shared, number: int, plain: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if args or kwargs or not shared.acts(x):
            return plain(x, *args, **kwargs)
        return shared.output(number, x)

    return forward
