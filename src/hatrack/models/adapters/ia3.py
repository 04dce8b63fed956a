"""(IA)³ on a base that holds many: y = l ∘ (W x), or y = W (l ∘ x) in a feed-forward layer.

Liu et al. 2022, https://arxiv.org/abs/2205.05638.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from hatrack.models.adapters.folder import WEIGHTS, Allowed, foreign, read_config, read_tensors
from hatrack.models.adapters.lora import PREFIX, linear_at
from hatrack.models.adapters.switch import Variant

__all__ = ["Scaled", "fit_ia3"]

_ALLOWED: Allowed = {"peft_type": ("IA3",), "feedforward_modules": None, "init_ia3_weights": (True, False)}
_END = ".ia3_l"


class Scaled(Variant):
    """A linear layer whose inputs, or whose outputs, are scaled one by one."""

    def __init__(self, scale: torch.Tensor, on_input: bool) -> None:
        super().__init__()
        self.scale, self.on_input = scale, on_input

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"scale": self.scale}

    def forward(self, inner: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """``x [..., d_in]`` to ``[..., d_out]``."""
        y: torch.Tensor = inner(x * self.scale) if self.on_input else inner(x) * self.scale
        return y


def fit_ia3(folder: Path, root: nn.Module) -> dict[str, Variant]:
    """The form ``ia3``: see ``hatrack.models.adapters.base``."""
    read_config(folder, _ALLOWED, "(IA)3 vectors on linear layers")
    variants: dict[str, Variant] = {}
    for key, tensor in read_tensors(folder / WEIGHTS).items():
        path = key.removeprefix(PREFIX).removesuffix(_END)
        if not (key.startswith(PREFIX) and key.endswith(_END)) or tensor.dim() != 2 or 1 not in tensor.shape:
            raise foreign(folder, f"{key} {tuple(tensor.shape)}", "one vector ia3_l for each adapted layer")
        on_input = tensor.shape[0] == 1  # PEFT writes [1, d_in] for feed-forward layers, [d_out, 1] for the others
        linear_at(root, path, (None, tensor.numel()) if on_input else (tensor.numel(), None))
        variants[path] = Scaled(tensor.float().flatten(), on_input)
    if not variants:
        raise foreign(folder, "no vectors at all", "one vector ia3_l for each adapted layer")
    return variants
