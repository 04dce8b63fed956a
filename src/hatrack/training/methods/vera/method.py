"""VeRA (Kopiczko et al. 2023, https://arxiv.org/abs/2310.11454): random matrices that all layers share, trained vectors."""

from __future__ import annotations

from typing import ClassVar, cast

from peft import PeftConfig, VeraConfig
from pydantic import BaseModel
from torch import nn

from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.peft_backed import PeftMethod, task_type
from hatrack.training.methods.targets import find_targets
from hatrack.training.methods.vera.options import VeraOptions

__all__ = ["Vera"]


class Vera(PeftMethod):
    """Trains two vectors for each layer."""

    name = "vera"
    traits = Traits(
        summary="trained vectors around random matrices that all layers share",
        when="very many adapters, where even small LoRA matrices are too much; slower than LoRA for each token",
        mergeable=True,
        mixable=False,
        four_bit=True,
    )
    options: type[BaseModel] = VeraOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 2e-2, "encoder": 5e-3}

    def config(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[PeftConfig, dict[str, int]]:
        chosen = cast(VeraOptions, options)
        targets = find_targets(base, chosen.target_modules, chosen.last_layers)
        config = VeraConfig(
            r=chosen.r,
            d_initial=chosen.d_initial,
            vera_dropout=chosen.dropout,
            target_modules=list(targets.paths),
            save_projection=True,
            task_type=task_type(kind),
        )
        return config, targets.counts
