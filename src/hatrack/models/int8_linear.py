"""Linear layers of an encoder in 8 bits, for speed: weights per output channel, activations per call.

The scale of the activations is that of all rows of a call together. Whoever wants a text's vector not to depend on its
neighbours calls with one text at a time.
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["Int8Linear", "in_int8"]


class Int8Linear(nn.Module):
    """``x Wᵀ + b`` for ``x [..., d_in]``, with ``W`` rounded to 8 bits, symmetric, one scale for each of its rows."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scales = weight.abs().amax(dim=1).clamp_min(1e-8) / 127
        rounded = torch.quantize_per_channel(weight, scales, torch.zeros(len(scales), dtype=torch.long), 0, torch.qint8)
        self._packed = torch.ops.quantized.linear_prepack(rounded, None if linear.bias is None else linear.bias.detach().float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[..., d_in]`` to ``[..., d_out]``."""
        # one bit of the activations is given up: without it, sums overflow on processors that add in 16 bits
        product: torch.Tensor = torch.ops.quantized.linear_dynamic(x, self._packed, True)
        return product


def in_int8(module: nn.Module) -> nn.Module:
    """The same module with every linear layer in 8 bits; it is changed in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear(child))
        else:
            in_int8(child)
    return module
