"""A linear layer and its low-rank adapter as one operation, forwards and backwards.

PEFT computes ``W x``, then ``B A x``, then scales it, then adds it, and autograd walks back through each of these; on a
small model the walks over memory cost as much as the adapter's own products. Here scale and sum are part of the matrix
products (as in Unsloth's LoRA kernels, by other means), and the input's gradient is summed where it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

__all__ = ["fuse_low_rank"]


class _LowRankLinear(torch.autograd.Function):
    """``y = x Wᵀ + bias + scale · x Aᵀ Bᵀ`` for a frozen ``W``; rows of ``x`` are ``[n, d_in]``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: Any, a: torch.Tensor, b: torch.Tensor, scale: float) -> torch.Tensor:
        inner = x @ a.t()
        ctx.save_for_backward(x, inner, weight, a, b)
        ctx.scale = scale
        return nn.functional.linear(x, weight, bias).addmm_(inner, b.t(), alpha=scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        x, inner, weight, a, b = ctx.saved_tensors
        scale, (gradient,) = ctx.scale, gradients
        back = (gradient @ b).mul_(scale)
        of_x = torch.addmm(back @ a, gradient, weight) if ctx.needs_input_grad[0] else None
        return of_x, None, None, back.t() @ x, (gradient.t() @ inner).mul_(scale), None


def fuse_low_rank(adapted: nn.Module) -> Callable[[], None] | None:
    """Let every plain LoRA layer of PEFT in ``adapted`` run as one operation; returns what undoes it.

    Plain means one adapter, in full precision, on a linear layer, without dropout, magnitudes or a bias of its own; None
    where there is no such layer.
    """
    layers = list(_plain_layers(adapted))
    for layer, name in layers:
        layer.forward = _forward(layer, name, layer.forward)

    def undo() -> None:
        for layer, _ in layers:
            del layer.forward

    return undo if layers else None


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


def _forward(layer: Any, name: str, plain: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        # merged or switched off (a reference without the adapter): PEFT knows what that means
        if layer.disable_adapters or layer.merged or args or kwargs or x.dtype != torch.float32 or torch.is_autocast_enabled(x.device.type):
            return plain(x, *args, **kwargs)
        base, a, b = layer.base_layer, layer.lora_A[name].weight, layer.lora_B[name].weight
        rows = x.reshape(-1, x.shape[-1])
        out: torch.Tensor = _LowRankLinear.apply(rows, base.weight, base.bias, a, b, layer.scaling[name])  # type: ignore[no-untyped-call]
        return out.view(*x.shape[:-1], out.shape[-1])

    return forward
