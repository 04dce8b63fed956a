"""What every method would train on a base, and what that takes, found from its config alone: no weight is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hatrack.core.errors import TargetsNotFound
from hatrack.models.loading import BaseModelFiles
from hatrack.training.methods.base import METHODS, Traits

__all__ = ["Footprint", "bare_layout", "footprints"]

_FULL = 4  # bytes of a weight in full precision
_TRAINED = 16  # bytes of a trained one: itself, its gradient, and Adam's two moments
_NF4 = 0.5 + (1 + 4 / 256) / 64  # bytes of a 4-bit weight with its share of the constants, which are in 8 bits themselves


@dataclass(frozen=True)
class Footprint:
    """One method on one base; ``trained`` and ``memory`` are None where it is not for this base, or there is none.

    Attributes:
        trained: parameters that are trained, with the method's own defaults.
        memory: bytes of the base, the trained parameters, their gradients and the optimizer; activations come on top.
    """

    method: str
    traits: Traits
    trained: int | None
    memory: int | None


def footprints(files: BaseModelFiles | None) -> list[Footprint]:
    """All methods on the base in ``files``, by name; without a base their traits alone."""
    found = []
    for name in METHODS.names():
        method = METHODS.get(name)()
        trained = memory = None
        if files is not None and files.kind in method.traits.kinds:
            base = bare_layout(files)
            held = _bytes_held(base, method.traits.trained_on == "nf4")
            try:
                trained = method.apply(base, method.options(), files.kind)[1].trained
                memory = round(held + _TRAINED * trained)
            except TargetsNotFound:  # an architecture this method has no place in
                trained = None
        found.append(Footprint(name, method.traits, trained, memory))
    return found


def bare_layout(files: BaseModelFiles) -> nn.Module:
    """The base's modules on the ``meta`` device: shapes without values."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM if files.kind == "causal" else AutoModel
    config = AutoConfig.from_pretrained(str(files.folder), local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        module: nn.Module = auto.from_config(config, dtype=torch.float32)
    return module.requires_grad_(False)


def _bytes_held(base: nn.Module, four_bit: bool) -> float:
    """Memory of the base's own weights; in 4 bits are the matrices of its blocks (``hatrack.models.quantised``)."""
    total = 0.0
    for name, parameter in base.named_parameters():
        in_block = parameter.dim() == 2 and any(part.isdigit() for part in name.split("."))
        total += parameter.numel() * (_NF4 if four_bit and in_block else _FULL)
    return total
