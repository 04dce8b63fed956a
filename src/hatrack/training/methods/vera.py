"""VeRA (Kopiczko et al. 2023, https://arxiv.org/abs/2310.11454): random matrices that all layers share, trained vectors."""

from __future__ import annotations

from typing import ClassVar, cast

from peft import PeftConfig, VeraConfig
from pydantic import BaseModel, Field
from torch import nn

from hatrack.core.strict import Strict
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.lora.targets import find_targets
from hatrack.training.methods.peft_backed import PeftMethod, task_type

__all__ = ["Vera", "VeraOptions"]


class VeraOptions(Strict):
    """The shared matrices and the layers they are used in."""

    r: int = Field(256, ge=1, le=4096, description="Rank of the shared random matrices; far larger than LoRA's.")
    d_initial: float = Field(0.1, gt=0, description="Start value of the vector between the two matrices.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the input of the matrices.")
    target_modules: tuple[str, ...] | None = Field(
        None, description="Names of the linear layers to adapt, as the base calls them; null: all in the blocks."
    )
    last_layers: int | None = Field(None, ge=1, description="Adapt only the last so many blocks; null: all. Fewer is faster.")


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
