"""Whole adapters merged: every layer that any of them touches, written as plain LoRA in PEFT's layout."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from hatrack.core.digest import sha256_text
from hatrack.models.adapters.folder import CONFIG, WEIGHTS
from hatrack.models.adapters.lora import LoraWeights
from hatrack.models.merging.base import Factors, Merger

__all__ = ["MergedAdapter", "folded_in", "merge_adapters", "write_lora"]


@dataclass(frozen=True)
class MergedAdapter:
    """The result.

    Attributes:
        kept: share of the squared norm of all updates that their rank could hold; 1 where nothing was cut.
    """

    weights: LoraWeights
    rank: int
    kept: float


def merge_adapters(
    merger: Merger, adapters: Sequence[LoraWeights], weights: Sequence[float], wanted_rank: int | None, density: float, seed: int
) -> MergedAdapter:
    """Merge layer by layer; a layer that an adapter does not touch is merged without it.

    What is random follows from ``seed`` and the layer's name.

    Raises:
        AdapterMismatch: the merger cannot take adapters of these ranks.
    """
    ranks = [next(iter(adapter.layers.values()))[0].shape[0] for adapter in adapters]
    rank = merger.rank(ranks, wanted_rank)
    layers: dict[str, Factors] = {}
    kept = total = 0.0
    for path in sorted({path for adapter in adapters for path in adapter.layers}):
        there = [(adapter.layers[path], weight) for adapter, weight in zip(adapters, weights, strict=True) if path in adapter.layers]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(sha256_text(f"{seed}/{path}")[:15], 16))
            merged = merger.layer([factors for factors, _ in there], [weight for _, weight in there], rank, density)
        layers[path] = _at_rank(merged.factors, rank)
        kept, total = kept + merged.kept, total + merged.total
    return MergedAdapter(LoraWeights(layers), rank, kept / total if total else 1.0)


def write_lora(folder: Path, adapter: MergedAdapter, base_name: str, task_type: str) -> None:
    """Write weights and config as PEFT lays them out; the scaling is in B, so alpha equals the rank."""
    tensors = {}
    for path, (a, b) in sorted(adapter.weights.layers.items()):
        tensors[f"base_model.model.{path}.lora_A.weight"] = a.contiguous()
        tensors[f"base_model.model.{path}.lora_B.weight"] = b.contiguous()
    save_file(tensors, folder / WEIGHTS)
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": task_type,
        "base_model_name_or_path": base_name,
        "r": adapter.rank,
        "lora_alpha": adapter.rank,
        "lora_dropout": 0.0,
        "use_rslora": False,
        "bias": "none",
        "target_modules": sorted(adapter.weights.layers),
        "init_lora_weights": True,
        "inference_mode": True,
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")


@contextlib.contextmanager
def folded_in(module: nn.Module, layers: Mapping[str, Factors]) -> Iterator[None]:
    """Add the updates to the weights of ``module`` inside the block; the old weights are put back bit for bit."""
    before: dict[str, Any] = {path: module.get_submodule(path).weight for path in layers}
    try:
        for path, (a, b) in layers.items():
            layer: Any = module.get_submodule(path)
            layer.weight = nn.Parameter(before[path].detach() + b @ a, requires_grad=False)
        yield
    finally:
        for path, weight in before.items():
            restored: Any = module.get_submodule(path)
            restored.weight = weight


def _at_rank(factors: Factors, rank: int) -> Factors:
    """Rows and columns of zeros up to ``rank``: PEFT's layout knows one rank for all layers."""
    a, b = factors
    missing = rank - a.shape[0]
    return nn.functional.pad(a, (0, 0, 0, missing)), nn.functional.pad(b, (0, missing))
