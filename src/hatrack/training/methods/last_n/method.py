"""The last blocks, all of their weights: the classical way to fine-tune a part of a network."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from pydantic import BaseModel
from torch import nn

from hatrack.core.errors import TargetsNotFound
from hatrack.models.adapters.switch import Variant
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.changed import ChangesParameters, trainable_names
from hatrack.training.methods.last_n.options import LastNOptions
from hatrack.training.methods.places import block_number

__all__ = ["LastN"]


class LastN(ChangesParameters):
    """Trains copies of every weight of the last blocks; backward stops below them."""

    name = "last-n"
    traits = Traits(
        summary="every weight of the last blocks",
        when="training must be fast and the adapter may be large: most of the forward pass can be computed once",
        mergeable=True,
        mixable=False,
        four_bit=False,
    )
    options: type[BaseModel] = LastNOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 5e-4, "encoder": 5e-4}

    def variants(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[dict[str, Variant], dict[str, Any], dict[str, int]]:
        n = cast(LastNOptions, options).n
        numbers = {name: number for name in trainable_names(base) if (number := block_number(name)) is not None}
        depth = max(numbers.values(), default=-1) + 1
        if n > depth:
            raise TargetsNotFound("the base has fewer blocks", given=f"n: {n}", allowed=f"1 to {depth}")
        variants, config = self.copies(base, [name for name, number in numbers.items() if number >= depth - n])
        return variants, config, {"blocks": n}
