"""Products with frozen weights by oneDNN instead of MKL. Both are in torch; for float32 it calls MKL.

MKL runs its slower code on processors of other makers than its own: on an EPYC with AVX-512, oneDNN takes between 0.6 and 0.8 of
its time for the rows of a batch. Sums are rounded in another order, so which of both computes is decided by what torch
has, never by a clock: a run that is resumed goes on with the same one (F09).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

__all__ = ["MULTIPLE", "Product", "available", "by_onednn", "take_products"]

_FEW, MULTIPLE = 128, 8  # fewer rows are filled up to a multiple

Product = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


def available() -> bool:
    """Whether this torch has oneDNN's product for plain tensors."""
    compiled: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # untyped in torch
    return compiled and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def by_onednn(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """``x Wᵀ + bias`` for ``x`` ``[rows, d_in]``; ``weight`` ``[d_out, d_in]`` may be the transpose of what is held.

    oneDNN compiles a product for each number of rows, which costs a millisecond: few rows, whose product takes no longer, are
    filled up with zeros to a multiple.
    """
    rows = len(x)
    if rows < _FEW and rows % MULTIPLE:
        return by_onednn(nn.functional.pad(x, (0, 0, 0, -rows % MULTIPLE)), weight, bias)[:rows]
    out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return out


class _Frozen(torch.autograd.Function):
    """A linear layer whose weights want no gradient, so that its input need not be kept either."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.weight = weight
        return by_onednn(x.reshape(-1, x.shape[-1]), weight, bias).view(*x.shape[:-1], len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
        [of_out] = gradients
        of_x = by_onednn(of_out.reshape(-1, of_out.shape[-1]).contiguous(), ctx.weight.t())
        return of_x.view(*of_out.shape[:-1], of_x.shape[-1]), None, None


def take_products(model: nn.Module) -> Callable[[], None] | None:
    """Let the frozen linear layers of ``model`` run by oneDNN; returns what undoes it, None where there is no such layer."""
    taken = [module for module in model.modules() if _fits(module)] if available() else []
    for module in taken:
        module.forward = _forward(module, module.forward)

    def undo() -> None:
        for module in taken:
            del module.forward

    return undo if taken else None


def _fits(module: Any) -> bool:
    return (
        type(module) is nn.Linear
        and "forward" not in vars(module)
        and module.weight.device.type == "cpu"
        and module.weight.dtype == torch.float32
        and not any(parameter.requires_grad for parameter in module.parameters())
    )


def _forward(module: Any, plain: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    def forward(x: torch.Tensor) -> torch.Tensor:
        if x.dtype != torch.float32 or not x.numel() or torch.is_autocast_enabled("cpu"):
            return plain(x)
        out: torch.Tensor = _Frozen.apply(x, module.weight, module.bias)  # type: ignore[no-untyped-call]  # untyped in torch
        return out

    return forward
