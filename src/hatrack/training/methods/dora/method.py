"""DoRA (Liu et al. 2024, https://arxiv.org/abs/2402.09353): the direction of a weight by LoRA, its length apart."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel

from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.dora.options import DoraOptions
from hatrack.training.methods.lora.method import Lora

__all__ = ["Dora"]


class Dora(Lora):
    """LoRA, and one trained length for every row of the changed weight."""

    name = "dora"
    traits = Traits(
        summary="LoRA for the direction of each weight, a vector for its length",
        when="small ranks, where it comes closer to full fine-tuning; training takes about twice LoRA's time",
        mergeable=True,
        mixable=False,
        four_bit=True,
        rank=("r", "alpha"),
    )
    options: type[BaseModel] = DoraOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 1e-3, "encoder": 2e-3}
    extra: ClassVar[dict[str, Any]] = {"use_dora": True}
