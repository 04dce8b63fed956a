"""LoRA+ (Hayou et al. 2024, https://arxiv.org/abs/2402.12354): B learns faster than A."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from pydantic import BaseModel
from torch import nn
from torch.optim import Optimizer

from hatrack.models.loading import Kind
from hatrack.training.methods.base import Schedule, Traits
from hatrack.training.methods.lora.method import Lora
from hatrack.training.methods.lora_plus.options import LoraPlusOptions

__all__ = ["LoraPlus"]


class LoraPlus(Lora):
    """LoRA with two learning rates; ``train.learning_rate`` is A's."""

    name = "lora+"
    traits = Traits(
        summary="LoRA whose B learns faster than its A",
        when="LoRA learns too slowly: few steps, or a task far from what the base knows",
        mergeable=True,
        mixable=True,
        four_bit=True,
        rank=("r", "alpha"),
    )
    options: type[BaseModel] = LoraPlusOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 3e-4, "encoder": 5e-4}

    def optimizer(self, adapted: nn.Module, trainee: nn.Module, options: BaseModel, schedule: Schedule) -> Optimizer | None:
        trained = [(name, parameter) for name, parameter in trainee.named_parameters() if parameter.requires_grad]
        fast = {
            "params": [p for name, p in trained if ".lora_B." in name],
            "lr": schedule.learning_rate * cast(LoraPlusOptions, options).ratio,
        }
        slow = {"params": [p for name, p in trained if ".lora_B." not in name], "lr": schedule.learning_rate}
        return torch.optim.AdamW([slow, fast], weight_decay=schedule.weight_decay)
