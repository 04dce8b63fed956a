"""QLoRA (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314): LoRA beside a base whose weights are held in 4 bits.

What is written is plain LoRA. It is served on the base in full precision, whose answers differ a little from those of
the 4-bit base it was trained beside; so the probe, and every evaluation, is of the base that serves.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import BaseModel
from torch import nn

from hatrack.models.loading import Kind
from hatrack.models.quantised import quantise
from hatrack.training.methods.base import Coverage, Traits
from hatrack.training.methods.lora.method import Lora
from hatrack.training.methods.qlora.options import QloraOptions

__all__ = ["Qlora"]


class Qlora(Lora):
    """LoRA on an NF4 base."""

    name = "qlora"
    traits = Traits(
        summary="LoRA beside a base held in 4 bits",
        when="the base does not fit into memory otherwise; slower than LoRA where it does",
        mergeable=True,
        mixable=True,
        four_bit=True,
        trained_on="nf4",
        rank=("r", "alpha"),
    )
    options: type[BaseModel] = QloraOptions

    def apply(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, Coverage]:
        self.config(base, options, kind)  # a misspelt target is refused before the base is changed
        held = sum(parameter.numel() for parameter in base.parameters())  # two weights lie in one byte afterwards
        if not next(base.parameters()).is_meta:
            quantise(base)
        adapted, coverage = super().apply(base, options, kind)
        return adapted, replace(coverage, total=held + coverage.trained)
