"""AdaLoRA (Zhang et al. 2023, https://arxiv.org/abs/2303.10512): W + B diag(E) A, and the least important E are set to zero.

Written as plain LoRA: E and the scale are folded into B, and directions whose E is zero are left out.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from peft import AdaLoraConfig, LoraConfig, PeftConfig
from pydantic import BaseModel
from torch import Tensor, nn
from torch.optim import Optimizer

from hatrack.models.loading import Kind
from hatrack.training.methods.adalora.optimizer import RankAllocatingAdamW
from hatrack.training.methods.adalora.options import AdaLoraOptions
from hatrack.training.methods.base import Coverage, Schedule, Traits
from hatrack.training.methods.peft_backed import ADAPTER, PeftMethod, plain_config, task_type
from hatrack.training.methods.targets import find_targets

__all__ = ["AdaLora"]

Triplet = tuple[Tensor, Tensor, Tensor]  # B [d_out, r], E [r] with the scale, A [r, d_in]


class AdaLora(PeftMethod):
    """LoRA whose ranks go where they help most."""

    name = "adalora"
    traits = Traits(
        summary="LoRA whose ranks are dealt out by importance",
        when="adapters must be small and the run is long enough (hundreds of steps) to learn where rank is needed",
        mergeable=True,
        mixable=True,
        four_bit=True,
        averages=False,  # a direction that was left out would be there again
        rank=("target_r", "init_r", "alpha"),
    )
    options: type[BaseModel] = AdaLoraOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 3e-3, "encoder": 5e-3}

    def config(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[PeftConfig, dict[str, int]]:
        chosen = cast(AdaLoraOptions, options)
        targets = find_targets(base, chosen.target_modules, chosen.last_layers)
        config = AdaLoraConfig(
            init_r=chosen.init_r,
            target_r=chosen.target_r,
            lora_alpha=cast(int, chosen.alpha),  # PEFT annotates int and computes with float
            lora_dropout=chosen.dropout,
            target_modules=list(targets.suffixes),
            layers_to_transform=list(targets.layers) if targets.layers else None,
            total_step=1,  # the optimizer knows it, when the run begins
            task_type=task_type(kind),
        )
        return config, targets.counts

    def apply(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, Coverage]:
        adapted, coverage = super().apply(base, options, kind)
        for name, parameter in adapted.named_parameters():
            if ".ranknum." in name:  # a constant that PEFT keeps as a parameter, and forgets to freeze on some devices
                parameter.requires_grad_(False)
        return adapted, Coverage.of(adapted, coverage.targets)

    def optimizer(self, adapted: nn.Module, trainee: nn.Module, options: BaseModel, schedule: Schedule) -> Optimizer | None:
        chosen = cast(AdaLoraOptions, options)
        trained = [parameter for parameter in trainee.parameters() if parameter.requires_grad]
        tuner = cast(Any, adapted).base_model
        return RankAllocatingAdamW(trained, tuner, schedule, chosen.warm, chosen.settle, chosen.orthogonality)

    def saved(self, adapted: nn.Module) -> tuple[dict[str, Any], dict[str, Tensor]]:
        model = cast(Any, adapted)
        layers = {name: _triplet(module) for name, module in model.named_modules() if hasattr(module, "lora_E")}
        rank = max(1, max(int((e != 0).sum()) for _, e, _ in layers.values()))
        tensors: dict[str, Tensor] = {}
        for name, triplet in layers.items():
            tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"] = _folded(triplet, rank)
        trained = model.peft_config[ADAPTER]
        config = LoraConfig(
            r=rank,
            lora_alpha=rank,
            target_modules=trained.target_modules,
            layers_to_transform=trained.layers_to_transform,
            lora_dropout=trained.lora_dropout,
            task_type=trained.task_type,
        )
        return plain_config(config), tensors


def _triplet(module: Any) -> Triplet:
    b, e, a = (getattr(module, name)[ADAPTER].detach() for name in ("lora_B", "lora_E", "lora_A"))
    scale = module.scaling[ADAPTER] / (module.ranknum[ADAPTER] + 1e-5)  # PEFT divides so
    return b, (e * scale).flatten(), a


def _folded(triplet: Triplet, rank: int) -> tuple[Tensor, Tensor]:
    """``(A [rank, d_in], B [d_out, rank])`` with zeros where a layer has less than ``rank`` left."""
    b, e, a = triplet
    kept = torch.nonzero(e).flatten()
    root = e[kept].abs().sqrt()  # half of E to each side, so that neither becomes very small
    narrow_a, narrow_b = root[:, None] * a[kept], b[:, kept] * (root * e[kept].sign())
    missing = rank - len(kept)
    return nn.functional.pad(narrow_a, (0, 0, 0, missing)), nn.functional.pad(narrow_b, (0, missing))
