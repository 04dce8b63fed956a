"""Tuning of the norms (Zhao et al. 2023, https://arxiv.org/abs/2312.11420): LayerNorm and RMSNorm, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from pydantic import BaseModel
from torch import Tensor, nn

from hatrack.core.errors import TargetsNotFound
from hatrack.models.adapters.lora import PREFIX
from hatrack.models.adapters.switch import Variant
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.changed import ChangesParameters
from hatrack.training.methods.ln.options import NormOptions
from hatrack.training.methods.placed import PlacedMethod
from hatrack.training.methods.places import block_number

__all__ = ["NormTuning"]


class NormTuning(ChangesParameters):
    """Trains copies of every norm's weight and bias; written as PEFT's LN tuning writes them."""

    name = "ln"
    traits = Traits(
        summary="the weights of LayerNorm or RMSNorm alone",
        when="the smallest change that still helps: a new domain's style, few rows",
        mergeable=True,
        mixable=False,
        four_bit=True,
    )
    options: type[BaseModel] = NormOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 1e-2, "encoder": 5e-3}

    def variants(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[dict[str, Variant], dict[str, Any], dict[str, int]]:
        last = cast(NormOptions, options).last_layers
        norms = [name for name, module in base.named_modules() if type(module).__name__.endswith("Norm")]
        depth = max((block_number(name) or 0 for name in norms), default=0) + 1
        if not norms or (last or 0) > depth:
            raise TargetsNotFound(
                "the base has no norms to train, or fewer blocks", given=f"last_layers: {last}", allowed=f"1 to {depth}" if norms else ""
            )
        if last is not None:
            norms = [name for name in norms if (number := block_number(name)) is not None and number >= depth - last]
        names = [f"{norm}.{own}" for norm in norms for own, _ in base.get_submodule(norm).named_parameters(recurse=False)]
        variants, _ = self.copies(base, names)
        ends = [norm.rpartition(".")[2] for norm in norms]
        return variants, {"peft_type": "LN_TUNING", "target_modules": norms}, {end: ends.count(end) for end in dict.fromkeys(ends)}

    def export(self, adapted: nn.Module, folder: Path, base_name: str) -> None:
        PlacedMethod.export(self, adapted, folder, base_name)  # whole, as PEFT writes them: there are few

    def tensors(self, placed: Mapping[str, Variant]) -> dict[str, Tensor]:
        every = super().tensors(placed).items()
        return {f"{PREFIX}{path}.ln_tuning_layers.{own}": tensor for name, tensor in every for path, _, own in [name.rpartition(".")]}
