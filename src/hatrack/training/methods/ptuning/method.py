"""P-tuning (Liu et al. 2021, https://arxiv.org/abs/2103.10385): virtual tokens made by a small network.

The network only helps training; what is written are the embeddings it makes.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

from peft import PeftConfig, PromptEncoder, PromptEncoderConfig
from pydantic import BaseModel
from torch import nn

from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.peft_backed import task_type
from hatrack.training.methods.ptuning.options import PTuningOptions
from hatrack.training.methods.virtual_tokens import VirtualTokens

__all__ = ["PTuning"]


class PTuning(VirtualTokens):
    """Trains virtual tokens and the network that makes them."""

    name = "ptuning"
    traits = Traits(
        summary="virtual tokens made by a small network in training",
        when="prompt tuning that does not learn: the network makes it easier, the adapter stays as small",
        mergeable=False,
        mixable=False,
        four_bit=True,
    )
    options: type[BaseModel] = PTuningOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 1e-2, "encoder": 3e-3}

    def encoder(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, PeftConfig]:
        model, chosen = cast(Any, base), cast(PTuningOptions, options)
        config = PromptEncoderConfig(
            num_virtual_tokens=chosen.tokens,
            encoder_reparameterization_type=chosen.network.upper(),
            encoder_hidden_size=chosen.hidden,
            token_dim=model.config.hidden_size,
            num_layers=model.config.num_hidden_layers,
            num_attention_heads=model.config.num_attention_heads,
            num_transformer_submodules=1,
            task_type=task_type(kind),
        )
        return PromptEncoder(config), config  # type: ignore[no-untyped-call]  # untyped in PEFT
