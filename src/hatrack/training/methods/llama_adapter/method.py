"""LLaMA-Adapter (Zhang et al. 2023, https://arxiv.org/abs/2303.16199): gated prompts in the upper layers' attention."""

from __future__ import annotations

from typing import ClassVar, cast

from peft import AdaptionPromptConfig, PeftConfig
from pydantic import BaseModel
from torch import nn

from hatrack.core.errors import TargetsNotFound
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.llama_adapter.options import LlamaAdapterOptions
from hatrack.training.methods.peft_backed import PeftMethod, task_type
from hatrack.training.methods.places import find_blocks

__all__ = ["LlamaAdapter"]

_FAMILIES = ("llama", "mistral")  # whose attention PEFT knows how to ask for its queries


class LlamaAdapter(PeftMethod):
    """Trains prompts that a layer attends to through a gate; the gate starts at zero, so training starts at the base."""

    name = "llama-adapter"
    traits = Traits(
        summary="prompts behind a gate in the attention of the upper layers",
        when="a Llama or Mistral base and a gentle start: instruction data in small amounts",
        mergeable=False,
        mixable=False,
        four_bit=True,
        kinds=("causal",),
    )
    options: type[BaseModel] = LlamaAdapterOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 1e-2}

    def config(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[PeftConfig, dict[str, int]]:
        chosen = cast(LlamaAdapterOptions, options)
        family = str(getattr(base.config, "model_type", ""))
        if family not in _FAMILIES:
            raise TargetsNotFound(
                "LLaMA-Adapter needs the attention of a Llama", given=family, allowed=", ".join(_FAMILIES), fix="use prefix or lora"
            )
        depth = len(find_blocks(base))
        layers = chosen.last_layers or max(1, depth - 2)
        if layers > depth:
            raise TargetsNotFound("the base has fewer blocks", given=f"last_layers: {layers}", allowed=f"1 to {depth}")
        config = AdaptionPromptConfig(adapter_len=chosen.tokens, adapter_layers=layers, task_type=task_type(kind))
        return config, {"self_attn": layers}
