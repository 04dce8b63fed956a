"""LoRA behind the interface of all methods."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from peft import LoraConfig, PeftConfig
from pydantic import BaseModel
from torch import nn

from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.lora.options import LoraOptions
from hatrack.training.methods.peft_backed import PeftMethod, task_type
from hatrack.training.methods.targets import find_targets

__all__ = ["Lora"]


class Lora(PeftMethod):
    """Trains B A beside frozen linear layers; B starts at zero, so training starts at the base (Hu et al. 2021)."""

    name = "lora"
    traits = Traits(
        summary="low-rank matrices beside the linear layers",
        when="the first choice: every engine serves it, and many adapters share one batch",
        mergeable=True,
        mixable=True,
        four_bit=True,
        rank=("r", "alpha"),
    )
    options: type[BaseModel] = LoraOptions
    # banking77 and CUAD on the two bundled bases: see benchmarks/domains
    rates: ClassVar[dict[Kind, float]] = {"causal": 1e-3, "encoder": 2e-3}
    extra: ClassVar[dict[str, Any]] = {}  # keys of PEFT's config by which a variant of LoRA differs

    def config(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[PeftConfig, dict[str, int]]:
        chosen = cast(LoraOptions, options)
        targets = find_targets(base, chosen.target_modules, chosen.last_layers)
        config = LoraConfig(
            r=chosen.r,
            lora_alpha=cast(int, chosen.alpha),  # PEFT annotates int and computes with float
            lora_dropout=chosen.dropout,
            target_modules=list(targets.suffixes),
            layers_to_transform=list(targets.layers) if targets.layers else None,
            bias="none",
            task_type=task_type(kind),
            **self.extra,
        )
        return config, targets.counts
