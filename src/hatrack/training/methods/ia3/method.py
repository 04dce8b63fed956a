"""(IA)³ (Liu et al. 2022, https://arxiv.org/abs/2205.05638): keys, values and feed-forward activations are scaled."""

from __future__ import annotations

from typing import ClassVar, cast

from peft import IA3Config, PeftConfig
from pydantic import BaseModel
from torch import nn

from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.ia3.options import Ia3Options
from hatrack.training.methods.peft_backed import PeftMethod, task_type
from hatrack.training.methods.places import find_blocks
from hatrack.training.methods.targets import find_targets

__all__ = ["Ia3"]


class Ia3(PeftMethod):
    """Scales what flows; all vectors start at one, so training starts at the base."""

    name = "ia3"
    traits = Traits(
        summary="vectors that scale keys, values and feed-forward activations",
        when="thousands of tiny adapters, or very few training rows",
        mergeable=True,
        mixable=False,
        four_bit=True,
    )
    options: type[BaseModel] = Ia3Options
    rates: ClassVar[dict[Kind, float]] = {"causal": 2e-2, "encoder": 2.5e-3}

    def config(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[PeftConfig, dict[str, int]]:
        chosen = cast(Ia3Options, options)
        if chosen.target_modules:
            targets = find_targets(base, chosen.target_modules, chosen.last_layers)
            return IA3Config(target_modules=list(targets.paths), feedforward_modules=[], task_type=task_type(kind)), targets.counts
        blocks = find_blocks(base, chosen.last_layers)
        inputs = [f"{block.path}.{block.layout.feedforward_out}" for block in blocks]
        outputs = [f"{block.path}.{name}" for block in blocks for name in (block.layout.key, block.layout.value)]
        layout = blocks[0].layout
        counts = dict.fromkeys((layout.key, layout.value, layout.feedforward_out), len(blocks))
        return IA3Config(target_modules=outputs + inputs, feedforward_modules=inputs, task_type=task_type(kind)), counts
