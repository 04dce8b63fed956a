"""LoRA behind the interface of all methods."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from pydantic import BaseModel
from safetensors.torch import save_file
from torch import nn

from hatrack.models.adapters.folder import CONFIG, WEIGHTS
from hatrack.models.loading import Kind
from hatrack.training.methods.base import Coverage, Traits
from hatrack.training.methods.lora.options import LoraOptions
from hatrack.training.methods.lora.targets import find_targets

__all__ = ["Lora"]


class Lora:
    """Trains B A beside frozen linear layers; B starts at zero, so training starts at the base."""

    name = "lora"
    traits = Traits(
        summary="low-rank matrices beside the linear layers; the first choice",
        mergeable=True,
        hot_loadable=True,
        mixable=True,
        four_bit=True,
    )
    options: type[BaseModel] = LoraOptions

    def learning_rate(self, kind: Kind) -> float:
        # banking77 and CUAD on the two bundled bases: see benchmarks/domains
        return 1e-3 if kind == "causal" else 2e-3

    def apply(self, base: nn.Module, options: BaseModel, kind: Kind) -> tuple[nn.Module, Coverage]:
        chosen = cast(LoraOptions, options)
        targets = find_targets(base, chosen.target_modules, chosen.last_layers)
        config = LoraConfig(
            r=chosen.r,
            lora_alpha=cast(int, chosen.alpha),  # PEFT annotates int and computes with float
            lora_dropout=chosen.dropout,
            target_modules=list(targets.suffixes),
            layers_to_transform=list(targets.layers) if targets.layers else None,
            bias="none",
            task_type="CAUSAL_LM" if kind == "causal" else "FEATURE_EXTRACTION",
        )
        adapted: Any = get_peft_model(cast(Any, base), config)
        trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
        total = sum(p.numel() for p in adapted.parameters())
        return adapted, Coverage(targets.counts, trained, total)

    def export(self, adapted: nn.Module, folder: Path, base_name: str) -> None:
        # Not PEFT's own save_pretrained: it asks the hub about the base, and writes sets in an order that varies.
        model = cast(Any, adapted)
        state = get_peft_model_state_dict(model, save_embedding_layers=False)
        save_file({key: tensor.detach().contiguous() for key, tensor in sorted(state.items())}, folder / WEIGHTS)
        config: dict[str, Any] = model.peft_config["default"].to_dict()
        config |= {
            "base_model_name_or_path": base_name,
            "inference_mode": True,
            "peft_type": "LORA",
            "target_modules": sorted(config["target_modules"]),
        }
        (folder / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")
