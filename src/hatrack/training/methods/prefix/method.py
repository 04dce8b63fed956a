"""Prefix tuning (Li & Liang 2021, https://arxiv.org/abs/2101.00190): keys and values before the text, in every layer.

They start near what the base itself makes of padding: from random numbers a small base does not recover. On an encoder
this is P-tuning v2 (Liu et al. 2022, https://arxiv.org/abs/2110.07602).
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from peft import PeftConfig, PrefixEncoder, PrefixTuningConfig
from pydantic import BaseModel
from torch import nn
from transformers import DynamicCache

from hatrack.models.adapters.switch import Variant, find
from hatrack.models.adapters.virtual import PrefixTokens, backbone_path, cache_width, flat_pairs
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.peft_backed import task_type
from hatrack.training.methods.prefix.options import PrefixOptions
from hatrack.training.methods.virtual_tokens import Source, VirtualTokens, shaken, start_ids

__all__ = ["Prefix"]


class Prefix(VirtualTokens):
    """Trains the keys and values of virtual tokens."""

    name = "prefix"
    traits = Traits(
        summary="keys and values of virtual tokens in every layer",
        when="the base's weights must not be touched at all, not even beside them, and texts are short",
        mergeable=False,
        mixable=False,
        four_bit=True,
    )
    options: type[BaseModel] = PrefixOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 1e-1, "encoder": 3e-3}

    def variant(self, source: Source, kind: Kind) -> Variant:
        return PrefixTokens(source, causal=kind == "causal")

    def encoder(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, PeftConfig]:
        model, tokens = cast(Any, base), cast(PrefixOptions, options).tokens
        layers, heads, d_head = cache_width(model.config)
        config = PrefixTuningConfig(
            num_virtual_tokens=tokens,
            token_dim=heads * d_head,
            num_layers=layers,
            num_attention_heads=heads,
            num_transformer_submodules=1,
            encoder_hidden_size=heads * d_head,
            task_type=task_type(kind),
        )
        encoder = PrefixEncoder(config)  # type: ignore[no-untyped-call]  # untyped in PEFT
        trunk: Any = find(base, backbone_path(base))
        if not next(trunk.parameters()).is_meta:
            with torch.no_grad():
                cache: Any = DynamicCache()
                trunk(input_ids=start_ids(base, tokens), past_key_values=cache)
                encoder.load_prompt_embeddings(shaken(flat_pairs([(layer.keys, layer.values) for layer in cache.layers])))
        return encoder, config
