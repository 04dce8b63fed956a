"""VeRA on a base that holds many: y = W x + b ∘ (B (d ∘ (A x))), where all layers share A and B, which are random.

Kopiczko et al. 2023, https://arxiv.org/abs/2310.11454. Folded into matrices of its own, each layer would need LoRA of
rank 256; so the vectors stay vectors, and a layer takes the part of A and B that fits its size.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from hatrack.models.adapters.folder import WEIGHTS, Allowed, foreign, read_config, read_tensors
from hatrack.models.adapters.lora import PREFIX, linear_at
from hatrack.models.adapters.switch import Variant

__all__ = ["SharedRandom", "fit_vera"]

_ALLOWED: Allowed = {
    "peft_type": ("VERA",),
    "r": None,
    "projection_prng_key": None,
    "save_projection": (True,),  # random numbers are not the same on every machine
    "vera_dropout": None,
    "d_initial": None,
    "bias": ("none",),
    "init_weights": (True, False),
    "layers_to_transform": None,
    "layers_pattern": None,
}
_SHARED = ("base_model.vera_A", "base_model.vera_B")
_PARTS = "vera_A and vera_B, and one vera_lambda_b and vera_lambda_d for each adapted layer"


class SharedRandom(Variant):
    """``x [..., d_in]`` to ``linear(x) + b ∘ (B (d ∘ (A x)))`` with ``A [r, d_in]``, ``B [d_out, r]``."""

    def __init__(self, a: torch.Tensor, b: torch.Tensor, inside: torch.Tensor, outside: torch.Tensor) -> None:
        super().__init__()
        self.a, self.b, self.inside, self.outside = a, b, inside, outside

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"a": self.a, "b": self.b, "inside": self.inside, "outside": self.outside}

    def forward(self, inner: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        y: torch.Tensor = inner(x)
        return y + self.outside * nn.functional.linear(self.inside * nn.functional.linear(x, self.a), self.b)


def fit_vera(folder: Path, root: nn.Module) -> dict[str, Variant]:
    """The form ``vera``: see ``hatrack.models.adapters.base``."""
    rank = read_config(folder, _ALLOWED, "VeRA without bias, its projections saved", positive=("r",))["r"]
    tensors = {key: tensor.float() for key, tensor in read_tensors(folder / WEIGHTS).items()}
    a, b = (tensors.pop(key, torch.empty(0)) for key in _SHARED)
    if a.dim() != 2 or b.dim() != 2 or a.shape[0] != rank or b.shape[1] != rank:
        raise foreign(folder, f"vera_A {tuple(a.shape)}, vera_B {tuple(b.shape)} for r={rank}", _PARTS)
    layers: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        path, _, part = key.removeprefix(PREFIX).rpartition(".vera_lambda_")
        if not key.startswith(PREFIX) or part not in ("b", "d") or tensor.dim() != 1:
            raise foreign(folder, f"tensor {key}", _PARTS)
        layers.setdefault(path, {})[part] = tensor
    variants: dict[str, Variant] = {}
    for path, vectors in layers.items():
        if set(vectors) != {"b", "d"} or len(vectors["d"]) != rank:
            raise foreign(folder, f"{path}: { {part: tuple(vector.shape) for part, vector in vectors.items()} } for r={rank}", _PARTS)
        d_out = len(vectors["b"])
        linear = linear_at(root, path, (d_out, None))
        if linear.in_features > a.shape[1] or d_out > b.shape[0]:
            raise foreign(folder, f"{path}: {d_out}x{linear.in_features}", f"at most {b.shape[0]}x{a.shape[1]}, the projections' size")
        variants[path] = SharedRandom(a[:, : linear.in_features], b[:d_out], vectors["d"], vectors["b"])
    if not variants:
        raise foreign(folder, "no vectors at all", _PARTS)
    return variants
