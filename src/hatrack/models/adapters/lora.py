"""LoRA on a base that holds many: y = W x + scale · B (A x)   (Hu et al. 2021, https://arxiv.org/abs/2106.09685).

DoRA (Liu et al. 2024, https://arxiv.org/abs/2402.09353) keeps the length m of every row of the changed weight apart from
its direction: y = g ∘ (W x + scale · B (A x)) + bias with g = m / ‖W + scale · B A‖. All of it but g ∘ is folded into B
and a constant when the adapter meets its base.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hatrack.core.errors import AdapterBroken
from hatrack.models.adapters.folder import WEIGHTS, Allowed, foreign, read_config, read_tensors
from hatrack.models.adapters.switch import Variant, find, unwrap

__all__ = ["PREFIX", "LoraWeights", "LowRank", "fit_lora", "linear_at", "read_lora", "read_lora_config"]

PREFIX = "base_model.model."  # of every tensor that PEFT writes

_ALLOWED: Allowed = {
    "r": None,
    "lora_alpha": None,
    "layers_to_transform": None,
    "layers_pattern": None,
    "lora_dropout": None,
    "use_rslora": (True, False, None),
    "use_dora": (True, False, None),
    "peft_type": ("LORA",),
    "bias": ("none",),
    "init_lora_weights": (True, False),
    "megatron_core": ("megatron.core",),
    "qalora_group_size": None,
}


@dataclass(frozen=True)
class LoraWeights:
    """One adapter: module path to ``(A [r, d_in], B [d_out, r])``, the scaling folded into B.

    Attributes:
        magnitudes: DoRA only: module path to the lengths of the rows of its changed weight, ``[d_out]``.
    """

    layers: dict[str, tuple[torch.Tensor, torch.Tensor]]
    magnitudes: dict[str, torch.Tensor] = field(default_factory=dict)


class LowRank(Variant):
    """``x [..., d_in]`` to ``gain ∘ linear(x) + shift + B (A x)``; gain and shift ``[d_out]`` are DoRA's."""

    def __init__(self, a: torch.Tensor, b: torch.Tensor, gain: torch.Tensor | None = None, shift: torch.Tensor | None = None) -> None:
        super().__init__()
        self.a, self.b, self.gain, self.shift = a, b, gain, shift

    def tensors(self) -> dict[str, torch.Tensor]:
        every = {"a": self.a, "b": self.b, "gain": self.gain, "shift": self.shift}
        return {name: tensor for name, tensor in every.items() if tensor is not None}

    def forward(self, inner: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        y: torch.Tensor = inner(x)
        if self.gain is not None and self.shift is not None:
            y = y * self.gain + self.shift
        return y + nn.functional.linear(nn.functional.linear(x, self.a), self.b)


def fit_lora(folder: Path, root: nn.Module) -> dict[str, Variant]:
    """The form ``lora``: see ``hatrack.models.adapters.base``."""
    weights = read_lora(folder)
    variants: dict[str, Variant] = {}
    for path, (a, b) in weights.layers.items():
        linear = linear_at(root, path, (b.shape[0], a.shape[1]))
        magnitude = weights.magnitudes.get(path)
        variants[path] = LowRank(a, b) if magnitude is None else _with_direction(linear, a, b, magnitude)
    return variants


def read_lora_config(folder: Path) -> dict[str, Any]:
    """PEFT's config of a LoRA adapter, every key known and none that changes the mathematics in silence.

    Raises:
        AdapterBroken: unreadable, or a key that serving does not know.
    """
    return read_config(folder, _ALLOWED, "plain or rank-stabilised LoRA or DoRA without bias", positive=("r", "lora_alpha"))


def read_lora(folder: Path) -> LoraWeights:
    """Read a LoRA adapter in PEFT's layout; every tensor must be half of a pair of fitting shapes.

    Raises:
        AdapterBroken: damaged files, foreign keys or shapes.
    """
    config = read_lora_config(folder)
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    parts: dict[str, dict[str, torch.Tensor]] = {}
    wanted = {"A.weight", "B.weight", *(["magnitude_vector"] if config.get("use_dora") else [])}
    for key, tensor in read_tensors(folder / WEIGHTS).items():
        path, _, part = key.removeprefix(PREFIX).rpartition(".lora_")
        if not key.startswith(PREFIX) or part not in wanted:
            raise _foreign(folder, f"tensor {key}")
        parts.setdefault(path, {})[part] = tensor.float()
    layers, magnitudes = {}, {}
    for path, found in parts.items():
        a, b = found.get("A.weight"), found.get("B.weight")
        if set(found) != wanted or a is None or b is None or not _fits(rank, a, b, found.get("magnitude_vector")):
            raise _foreign(folder, f"{path}: { {part: tuple(tensor.shape) for part, tensor in found.items()} } for r={rank}")
        layers[path] = (a, b if scale == 1 else b * scale)
        if "magnitude_vector" in found:
            magnitudes[path] = found["magnitude_vector"]
    if not layers:
        raise _foreign(folder, "no LoRA tensors at all")
    return LoraWeights(layers, magnitudes)


def linear_at(root: nn.Module, path: str, size: Sequence[int | None]) -> nn.Linear:
    """The linear layer of the base at ``path``, without its switch.

    Raises:
        AdapterBroken: there is none, or it is not of ``size`` (d_out, d_in); None is any.
    """
    linear = unwrap(find(root, path))
    if not isinstance(linear, nn.Linear):
        raise AdapterBroken("the adapter names a layer the base does not have", given=path, fix="use the base it was trained on")
    held = (linear.out_features, linear.in_features)
    if any(wanted not in (None, found) for wanted, found in zip(size, held, strict=True)):
        raise AdapterBroken(
            "the adapter's matrices do not fit the base",
            given=f"{path}: {'x'.join('any' if wanted is None else str(wanted) for wanted in size)}",
            allowed=f"{linear.out_features}x{linear.in_features}",
            fix="use the base it was trained on",
        )
    return linear


def _fits(rank: int, a: torch.Tensor, b: torch.Tensor, magnitude: torch.Tensor | None) -> bool:
    pair = a.dim() == b.dim() == 2 and a.shape[0] == rank and b.shape[1] == rank
    return pair and (magnitude is None or magnitude.shape == b.shape[:1])


def _with_direction(linear: nn.Linear, a: torch.Tensor, b: torch.Tensor, magnitude: torch.Tensor) -> LowRank:
    with torch.no_grad():
        gain = magnitude / torch.linalg.norm(linear.weight.float() + b @ a, dim=1)
        bias = torch.zeros_like(gain) if linear.bias is None else linear.bias.float()
        return LowRank(a, gain[:, None] * b, gain, (1 - gain) * bias)


def _foreign(folder: Path, given: str) -> AdapterBroken:
    return foreign(folder, given, "one lora_A and one lora_B for each adapted layer")
