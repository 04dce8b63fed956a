"""Any LoRA of ours as the plainest one: PEFT's names, one rank, scale 1. What other servers read."""

from __future__ import annotations

from pathlib import Path

from hatrack.core.atomic import staged_folder
from hatrack.models.adapters.folder import read_json, write_adapter
from hatrack.models.adapters.lora import PREFIX, read_lora

__all__ = ["is_plain_lora", "write_plain_lora"]


def is_plain_lora(folder: Path) -> bool:
    """Whether the adapter in ``folder`` is a low-rank pair for each layer and nothing else (DoRA is more)."""
    config = read_json(folder)
    return config.get("peft_type") == "LORA" and not config.get("use_dora")


def write_plain_lora(folder: Path, target: Path) -> Path:
    """Write the adapter in ``folder`` into ``target`` unless it is there; the scaling is folded into B.

    Raises:
        AdapterBroken: damaged files. StorageError: the disk refuses.
    """
    if target.is_dir():  # staged_folder renames only a whole folder into place
        return target
    weights = read_lora(folder)
    tensors = {}
    for path, (a, b) in weights.layers.items():
        tensors[f"{PREFIX}{path}.lora_A.weight"], tensors[f"{PREFIX}{path}.lora_B.weight"] = a, b
    rank = max(a.shape[0] for a, _ in weights.layers.values())
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": rank,
        "bias": "none",
        "target_modules": sorted({path.rpartition(".")[2] for path in weights.layers}),
    }
    with staged_folder(target) as staging:
        write_adapter(staging, config, tensors)
    return target
