"""Rank-stabilised LoRA (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732): the scale is alpha / √r, not alpha / r."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel

from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.lora.method import Lora
from hatrack.training.methods.rslora.options import RsLoraOptions

__all__ = ["RsLora"]


class RsLora(Lora):
    """LoRA whose update does not shrink as the rank grows."""

    name = "rslora"
    traits = Traits(
        summary="LoRA scaled by alpha / √r",
        when="a large rank is wanted, where plain LoRA stops gaining from it",
        mergeable=True,
        mixable=True,
        four_bit=True,
        rank=("r",),  # alpha / √r: as the rank grows, alpha stays
    )
    options: type[BaseModel] = RsLoraOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 5e-4, "encoder": 1e-3}
    extra: ClassVar[dict[str, Any]] = {"use_rslora": True}
