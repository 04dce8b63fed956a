"""PiSSA (Meng et al. 2024, https://arxiv.org/abs/2404.02948): A and B start at the weight's own largest singular values.

The base then holds only the rest, so what was trained acts on no base but its own changed one. It is therefore written
as plain LoRA for the base as it was: W' + B A with W' = W − B₀ A₀ is W + [B, −B₀] [A; A₀], of twice the rank.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from peft import LoraConfig, PeftConfig, get_peft_model_state_dict
from pydantic import BaseModel
from torch import Tensor, nn

from hatrack.models.loading import Kind
from hatrack.training.methods.base import Coverage, Traits
from hatrack.training.methods.lora.method import Lora
from hatrack.training.methods.pissa.options import PissaOptions

__all__ = ["Pissa"]

_START = "pissa_start"  # attribute of the adapted model: A and B as they were before training


class Pissa(Lora):
    """LoRA that trains the principal part of each weight."""

    name = "pissa"
    traits = Traits(
        summary="LoRA that starts at the principal part of each weight",
        when="LoRA converges slowly and its start may take seconds longer (one decomposition a layer)",
        mergeable=True,
        mixable=True,
        four_bit=False,
        leaves_base=False,  # PEFT keeps in the base what A and B do not hold
        rank=("r", "alpha"),
    )
    options: type[BaseModel] = PissaOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 3e-4, "encoder": 5e-4}
    extra: ClassVar[dict[str, Any]] = {"init_lora_weights": "pissa_niter_16"}  # a randomised SVD: seconds, not minutes

    def config(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[PeftConfig, dict[str, int]]:
        config, found = super().config(base, options, kind)
        if next(base.parameters()).is_meta:  # no values to decompose
            cast(LoraConfig, config).init_lora_weights = True
        return config, found

    def apply(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, Coverage]:
        adapted, coverage = super().apply(base, options, kind)
        start = get_peft_model_state_dict(cast(Any, adapted), save_embedding_layers=False)
        setattr(adapted, _START, {key: tensor.detach().clone() for key, tensor in start.items()})
        return adapted, coverage

    def saved(self, adapted: nn.Module) -> tuple[dict[str, Any], dict[str, Tensor]]:
        config, trained = super().saved(adapted)
        start: dict[str, Tensor] = getattr(adapted, _START)
        doubled = {
            key: torch.cat([tensor, start[key]], dim=0) if "lora_A" in key else torch.cat([tensor, -start[key]], dim=1)
            for key, tensor in trained.items()
        }
        wider = {"r": 2 * config["r"], "lora_alpha": 2 * config["lora_alpha"], "init_lora_weights": True}
        return config | wider, doubled
