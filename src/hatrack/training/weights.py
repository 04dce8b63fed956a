"""The trained weights of a model as one file, also where each process holds a part of every one of them (FSDP)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor

__all__ = ["read_trained", "take_over", "trained", "whole", "whole_trained", "write_trained"]

_STATE = "trained.safetensors"


def trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """What is trained, by name."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def whole_trained(model: nn.Module) -> dict[str, torch.Tensor]:
    """The trained weights, gathered from all processes; all must call this."""
    return whole(trained(model))


def whole(tensors: Iterable[tuple[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Tensors gathered from all processes; all must call this."""
    return {name: _gathered(tensor.detach()).contiguous() for name, tensor in tensors}


def write_trained(model: nn.Module, folder: Path, *, write: bool) -> None:
    """Write the trained weights into ``folder``; of several processes all must call this, and one writes."""
    state = whole_trained(model)
    if write:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / _STATE)


def read_trained(model: nn.Module, source: Path | dict[str, torch.Tensor]) -> None:
    """Give ``model`` the trained weights that ``write_trained`` put into a folder, or ``whole_trained`` gave."""
    take_over(trained(model), load_file(source / _STATE) if isinstance(source, Path) else source)


def take_over(tensors: Iterable[tuple[str, torch.Tensor]], values: dict[str, torch.Tensor]) -> None:
    """Give ``tensors`` the values of their names; where a process holds a part of one, its part."""
    with torch.no_grad():
        for name, tensor in tensors:
            held: Any = tensor
            value = values[name].to(tensor.device)
            held.copy_(distribute_tensor(value, held.device_mesh, held.placements) if isinstance(held, DTensor) else value)


def _gathered(tensor: Any) -> torch.Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
