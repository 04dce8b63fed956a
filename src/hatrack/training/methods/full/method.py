"""Full fine-tuning: every weight of the base, trained as a copy beside it."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel
from torch import nn

from hatrack.models.adapters.switch import Variant
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.changed import ChangesParameters, trainable_names
from hatrack.training.methods.full.options import FullOptions

__all__ = ["Full"]


class Full(ChangesParameters):
    """Trains copies of all weights; written as compressed differences to the base's, bit for bit."""

    name = "full"
    traits = Traits(
        summary="every weight",
        when="the yardstick for the others, or one adapter on a base of its own with many rows",
        mergeable=True,
        mixable=False,
        four_bit=False,
    )
    options: type[BaseModel] = FullOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 5e-5, "encoder": 3e-4}

    def variants(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[dict[str, Variant], dict[str, Any], dict[str, int]]:
        names = trainable_names(base)
        variants, config = self.copies(base, names)
        return variants, config, {"parameters": len(names)}
