"""What the methods share that train parameters of the base itself: copies are trained, the base keeps its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from hatrack.models.adapters.delta import owners, replacements, write_delta
from hatrack.models.adapters.switch import Variant
from hatrack.training.methods.placed import Placed, PlacedMethod

__all__ = ["ChangesParameters", "trainable_names"]


class ChangesParameters(PlacedMethod):
    """Trains copies of chosen parameters; written once each, also where the base ties them, as differences to the base."""

    def copies(self, base: nn.Module, names: list[str]) -> tuple[dict[str, Variant], dict[str, Any]]:
        """Variants with copies of these parameters of the base, and the config of a ``delta`` adapter."""
        held = dict(base.named_parameters())
        return self.changed(base, {name: held[name].detach().clone() for name in names})

    def changed(self, base: nn.Module, values: Mapping[str, Tensor]) -> tuple[dict[str, Variant], dict[str, Any]]:
        """As ``copies``, from these start values."""
        return replacements(base, {name: nn.Parameter(value) for name, value in values.items()}), {"peft_type": "DELTA"}

    def tensors(self, placed: Mapping[str, Variant]) -> dict[str, torch.Tensor]:
        found: dict[int, tuple[str, Tensor]] = {}
        for path, variant in placed.items():
            for name, parameter in variant.named_parameters():
                found.setdefault(id(parameter), (f"{path}.{name}", parameter))
        return dict(found.values())

    def export(self, adapted: nn.Module, folder: Path, base_name: str) -> None:
        model = cast(Placed, adapted)
        write_delta(folder, model.config_of_adapter | {"base_model_name_or_path": base_name}, model, self.tensors(model.placed))


def trainable_names(base: nn.Module) -> list[str]:
    """Every parameter of the base that takes part in its answers: all but an encoder's pooler, which nothing here reads."""
    return [name for name in owners(base) if not name.startswith("pooler.")]
