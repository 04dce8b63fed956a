"""Bottleneck layers: down, a nonlinearity, up, added to the stream of every block.

Placements: after attention and after the feed-forward part (Houlsby et al. 2019, https://arxiv.org/abs/1902.00751), or
after the feed-forward part alone (Pfeiffer et al. 2020, https://arxiv.org/abs/2005.00247). Parallel layers read what the
part reads instead of what it gives (He et al. 2022, https://arxiv.org/abs/2110.04366).
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

from pydantic import BaseModel
from torch import nn

from hatrack.models.adapters.bottleneck import Bottleneck
from hatrack.models.adapters.switch import Variant
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.bottleneck.options import BottleneckOptions
from hatrack.training.methods.placed import PlacedMethod
from hatrack.training.methods.places import find_blocks

__all__ = ["BottleneckLayers"]


class BottleneckLayers(PlacedMethod):
    """Trains small two-layer networks between the parts of a block."""

    name = "bottleneck"
    traits = Traits(
        summary="small layers with a nonlinearity inside each block",
        when="LoRA is not enough and a few per cent more time for each token are acceptable",
        mergeable=False,
        mixable=False,
        four_bit=True,
        rank=("size",),
    )
    options: type[BaseModel] = BottleneckOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 1e-3, "encoder": 2e-3}

    def variants(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[dict[str, Variant], dict[str, Any], dict[str, int]]:
        chosen = cast(BottleneckOptions, options)
        width = int(base.config.hidden_size)  # type: ignore[union-attr, arg-type]  # transformers modules carry a config
        blocks = find_blocks(base, chosen.last_layers)
        layout, sequential = blocks[0].layout, chosen.order == "sequential"
        places = {"feedforward": layout.feedforward_out if sequential else layout.feedforward}
        if chosen.placement == "houlsby":
            places["attention"] = layout.attention_out if sequential else layout.attention
        reads = "output" if sequential else layout.parallel_reads
        variants: dict[str, Variant] = {
            f"{block.path}.{place}": Bottleneck(width, chosen.size, chosen.activation, reads, chosen.scale)
            for block in blocks
            for place in places.values()
        }
        said = chosen.model_dump(include={"size", "activation", "scale"})
        return variants, {"peft_type": "BOTTLENECK", "reads": reads, **said}, {place: len(blocks) for place in places.values()}
