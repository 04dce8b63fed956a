"""Linear layers of an encoder in 8 bits, for speed: one scale for each output of the weights, one for each row that comes in.

A row's own scale, and sums of whole numbers: what a row gives does not depend on the rows beside it.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["Int8Linear", "in_int8"]

_LARGEST = 127
_LEAST = 1e-8  # a scale of a row of zeros


class Int8Linear(nn.Module):
    """``x Wᵀ + b`` for ``x [..., d_in]``, both rounded to 8 bits, symmetric, row by row (as in LLM.int8, Dettmers et al. 2022)."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        rounded, self._scales = _rounded(linear.weight.detach().float())
        self._weight = rounded.t().contiguous()
        self._scales = self._scales.squeeze(1)
        self._bias = None if linear.bias is None else linear.bias.detach().float()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[..., d_in]`` to ``[..., d_out]``."""
        rounded, scales = _rounded(x.reshape(-1, x.shape[-1]))
        product = torch._int_mm(rounded, self._weight).float().mul_(scales).mul_(self._scales)
        if self._bias is not None:
            product.add_(self._bias)
        return product.view(*x.shape[:-1], -1)


def in_int8(module: nn.Module) -> nn.Module:
    """The same module with every linear layer in 8 bits; it is changed in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear(child))
        else:
            in_int8(child)
    return module


def _rounded(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows in 8 bits, and the scale of each, ``[rows, 1]``."""
    scales = rows.abs().amax(dim=1, keepdim=True).clamp_min_(_LEAST).div_(_LARGEST)
    return rows.div(scales).round_().to(torch.int8), scales
