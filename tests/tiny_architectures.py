"""Tiny models of many real architectures, their last blocks trained, for tests of what is exact on which."""

from __future__ import annotations

import random

import torch
import transformers

from hatrack.training.objectives.base import IGNORED, Item
from hatrack.training.objectives.causal import CausalTrainee, Instruct
from hatrack.training.objectives.classify import Classify, EncoderTrainee

__all__ = ["CAUSAL", "ENCODERS", "batch_of", "causal", "encoder", "train_last"]

SMALL = {
    "vocab_size": 120,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "attention_dropout": 0.0,
}
CAUSAL = {
    "Llama": {},
    "Mistral": {"sliding_window": 6},
    "Qwen2": {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 2},
    "Qwen3": {},
    "Gemma": {},
    "Gemma2": {"sliding_window": 6},
    "Phi3": {},
    "Olmo2": {},
    "Granite": {"logits_scaling": 3.0, "residual_multiplier": 0.5, "embedding_multiplier": 2.0},
    "GPTNeoX": {"hidden_dropout": 0.0},
    "GPT2": {"n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 128, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "Lfm2": {"layer_types": ["conv", "full_attention", "conv", "full_attention"]},
}
ENCODERS = {"Bert": {}, "Roberta": {"pad_token_id": 1}, "DistilBert": {"dim": 32, "hidden_dim": 64, "n_layers": 4, "n_heads": 4}}


def model_of(name: str, more: dict, suffix: str) -> torch.nn.Module:
    config = getattr(transformers, f"{name}Config")(**{**SMALL, **more})
    torch.manual_seed(0)
    return getattr(transformers, f"{name}{suffix}")(config).requires_grad_(False).eval()


def train_last(base: torch.nn.Module, blocks: int = 1) -> None:
    count = base.config.num_hidden_layers
    [stack] = [m for m in base.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == count]
    for block in stack[-blocks:]:
        block.requires_grad_(True)


def causal(name: str, beginning: int = 5) -> tuple[CausalTrainee, list[Item]]:
    base = model_of(name, CAUSAL[name], "ForCausalLM" if name != "GPT2" else "LMHeadModel")
    train_last(base)
    rng = random.Random(1)
    items = []
    for row in range(9):
        ids = [*range(10, 10 + beginning), *(rng.randrange(20, 120) for _ in range(rng.randrange(4, 20)))]
        labels = [IGNORED] * (len(ids) - 3) + ids[-3:]
        items.append(Item(row, tuple(ids), tuple(labels)))
    return CausalTrainee(base, base, items[0].ids), items


def encoder(name: str) -> tuple[EncoderTrainee, list[Item]]:
    from hatrack.models.encoder import CosineHead
    from hatrack.training.fast.dropout import turn_off_dropout

    base = model_of(name, ENCODERS[name], "Model")
    turn_off_dropout(base)
    train_last(base)
    rng = random.Random(1)
    items = [Item(row, tuple(rng.randrange(20, 120) for _ in range(rng.randrange(4, 20))), (row % 3,)) for row in range(9)]
    return EncoderTrainee(base, CosineHead(torch.randn(3, 32) * 0.05), 0.0), items


def batch_of(trainee: torch.nn.Module, items: list[Item]) -> dict[str, torch.Tensor]:
    batch = (Instruct() if isinstance(trainee, CausalTrainee) else Classify()).collate(items, 0)
    batch.pop("rows")
    return batch
