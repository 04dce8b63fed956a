"""Prompt tuning (Lester et al. 2021, https://arxiv.org/abs/2104.08691): embeddings of virtual tokens, and nothing else."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from peft import PeftConfig, PromptTuningConfig
from peft.tuners.prompt_tuning import PromptEmbedding
from pydantic import BaseModel
from torch import nn

from hatrack.models.loading import Kind
from hatrack.training.methods.base import Traits
from hatrack.training.methods.peft_backed import task_type
from hatrack.training.methods.prompt.options import PromptOptions
from hatrack.training.methods.virtual_tokens import VirtualTokens, shaken, start_ids

__all__ = ["Prompt"]


class Prompt(VirtualTokens):
    """Trains the embeddings of virtual tokens; they start near that of the base's padding."""

    name = "prompt"
    traits = Traits(
        summary="embeddings of virtual tokens before the text",
        when="large bases, and adapters of a few kilobytes; a small base learns little by it",
        mergeable=False,
        mixable=False,
        four_bit=True,
    )
    options: type[BaseModel] = PromptOptions
    rates: ClassVar[dict[Kind, float]] = {"causal": 1e-1, "encoder": 4e-3}

    def encoder(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, PeftConfig]:
        model: Any = base
        config = PromptTuningConfig(
            num_virtual_tokens=cast(PromptOptions, options).tokens,
            token_dim=model.config.hidden_size,
            num_layers=model.config.num_hidden_layers,
            num_attention_heads=model.config.num_attention_heads,
            num_transformer_submodules=1,
            prompt_tuning_init="RANDOM",
            task_type=task_type(kind),
        )
        words: Any = model.get_input_embeddings()
        encoder: Any = PromptEmbedding(config, words)  # type: ignore[no-untyped-call]  # untyped in PEFT
        if not words.weight.is_meta:
            with torch.no_grad():
                encoder.embedding.weight.copy_(shaken(words(start_ids(base, config.num_virtual_tokens))[0]))
        return encoder, config
