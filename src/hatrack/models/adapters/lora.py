"""LoRA on a base that holds many: y = W x + scale · B (A x)   (Hu et al. 2021, https://arxiv.org/abs/2106.09685).

Each adapted linear keeps the matrices of every resident adapter; one shared ``Active`` says whose are applied. Switching
is one assignment, whatever the number of layers and adapters, and ``base`` simply has no matrices (F33).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hatrack.core.errors import AdapterBroken
from hatrack.core.names import BASE
from hatrack.models.adapters.folder import CONFIG, WEIGHTS, read_lora_config, read_tensors

__all__ = ["Active", "AdaptedLinear", "LoraWeights", "read_lora", "wrap_linears"]

_PREFIX = "base_model.model."


@dataclass
class Active:
    """Whose matrices are applied now; shared by all adapted layers of one base."""

    name: str = BASE


@dataclass(frozen=True)
class LoraWeights:
    """One adapter: module path to ``(A [r, d_in], B [d_out, r])``, the scaling folded into B."""

    layers: dict[str, tuple[torch.Tensor, torch.Tensor]]

    @property
    def nbytes(self) -> int:
        """Memory the matrices take."""
        return sum(a.nbytes + b.nbytes for a, b in self.layers.values())


class AdaptedLinear(nn.Module):
    """A frozen linear layer and the matrices of every resident adapter that touches it."""

    def __init__(self, inner: nn.Linear, active: Active) -> None:
        super().__init__()
        self.inner = inner
        self.active = active
        self.matrices: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x [..., d_in]`` to ``[..., d_out]``."""
        y: torch.Tensor = self.inner(x)
        pair = self.matrices.get(self.active.name)
        if pair is None:
            return y
        a, b = pair
        return y + nn.functional.linear(nn.functional.linear(x, a), b)


def read_lora(folder: Path) -> LoraWeights:
    """Read a LoRA adapter in PEFT's layout; every tensor must be half of a pair of fitting shapes.

    Raises:
        AdapterBroken: damaged files, foreign keys or shapes.
    """
    config = read_lora_config(folder)
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    halves: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in read_tensors(folder / WEIGHTS).items():
        path, _, half = key.removeprefix(_PREFIX).rpartition(".lora_")
        if not key.startswith(_PREFIX) or half not in ("A.weight", "B.weight"):
            raise _foreign(folder, f"tensor {key}")
        halves.setdefault(path, {})[half[0]] = tensor
    layers = {}
    for path, pair in halves.items():
        if set(pair) != {"A", "B"} or any(t.dim() != 2 for t in pair.values()) or pair["A"].shape[0] != rank or pair["B"].shape[1] != rank:
            shapes = {half: tuple(tensor.shape) for half, tensor in pair.items()}
            raise _foreign(folder, f"{path}: {shapes} for r={rank}")
        layers[path] = (pair["A"].float(), pair["B"].float() * scale)
    if not layers:
        raise _foreign(folder, "no LoRA tensors at all")
    return LoraWeights(layers)


def wrap_linears(module: nn.Module, paths: dict[str, tuple[torch.Tensor, torch.Tensor]], active: Active) -> dict[str, AdaptedLinear]:
    """Make the linears at ``paths`` able to hold adapters; return them by path. Checks everything before changing anything.

    Raises:
        AdapterBroken: a path the base does not have, or matrices of another size.
    """
    found: dict[str, Any] = {}
    for path, (a, b) in paths.items():
        try:
            layer = module.get_submodule(path)
        except AttributeError:
            layer = None
        linear = layer.inner if isinstance(layer, AdaptedLinear) else layer
        if not isinstance(linear, nn.Linear):
            raise AdapterBroken("the adapter names a layer the base does not have", given=path, fix="use the base it was trained on")
        if (linear.out_features, linear.in_features) != (b.shape[0], a.shape[1]):
            raise AdapterBroken(
                "the adapter's matrices do not fit the base",
                given=f"{path}: {b.shape[0]}x{a.shape[1]}",
                allowed=f"{linear.out_features}x{linear.in_features}",
                fix="use the base it was trained on",
            )
        found[path] = layer
    wrapped = {}
    for path, layer in found.items():
        if not isinstance(layer, AdaptedLinear):
            layer = AdaptedLinear(layer, active)
            parent, _, name = path.rpartition(".")
            setattr(module.get_submodule(parent), name, layer)
        wrapped[path] = layer
    return wrapped


def _foreign(folder: Path, given: str) -> AdapterBroken:
    return AdapterBroken(
        f"{WEIGHTS} does not match {CONFIG}",
        given=given,
        allowed="one lora_A and one lora_B for each adapted layer",
        fix=f"train the adapter again, or restore {folder.name} from a backup",
    )
