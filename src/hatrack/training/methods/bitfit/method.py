"""BitFit (Ben Zaken et al. 2021, https://arxiv.org/abs/2106.10199): only the biases are trained.

Modern decoders have none. There every linear layer of a block gains one that starts at zero, so that the method, whose
idea is a constant added to each activation, means the same on every base.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from pydantic import BaseModel
from torch import nn

from hatrack.models.adapters.switch import Variant
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.bitfit.options import BitFitOptions
from hatrack.training.methods.changed import ChangesParameters, trainable_names
from hatrack.training.methods.places import block_number
from hatrack.training.methods.targets import find_targets

__all__ = ["BitFit"]


class BitFit(ChangesParameters):
    """Trains copies of the biases."""

    name = "bitfit"
    traits = Traits(
        summary="the biases alone; a base without any gains them",
        when="few rows, or adapters of some ten thousand numbers",
        mergeable=True,
        mixable=False,
        four_bit=True,
    )
    options: type[BaseModel] = BitFitOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 1e-2, "encoder": 5e-3}

    def variants(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[dict[str, Variant], dict[str, Any], dict[str, int]]:
        chosen = cast(BitFitOptions, options)
        targets = find_targets(base, chosen.target_modules, chosen.last_layers)
        held = dict(base.named_parameters())
        values = {f"{path}.bias": _bias(base.get_submodule(path)) for path in targets.paths}
        counts = dict(targets.counts)
        if chosen.target_modules is None:
            linears = {name.removesuffix(".weight") for name in held if name.endswith(".weight") and held[name].dim() == 2}
            others = [n for n in trainable_names(base) if n.endswith(".bias") and n.removesuffix(".bias") not in linears]
            norms = [n for n in others if (b := block_number(n)) is not None and (targets.layers is None or b in targets.layers)]
            values |= {name: held[name].detach().clone() for name in norms}
            counts |= {"norms": len(norms)} if norms else {}
        variants, config = self.changed(base, values)
        return variants, config, counts


def _bias(linear: nn.Module) -> torch.Tensor:
    bias = cast(nn.Linear, linear).bias
    return torch.zeros(cast(nn.Linear, linear).out_features) if bias is None else bias.detach().clone()
