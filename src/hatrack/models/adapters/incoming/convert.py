"""A foreign adapter in the layout that is read here, checked against the base it shall lie on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from torch import nn

from hatrack.core.errors import AdapterMismatch
from hatrack.models.adapters.folder import WEIGHTS, read_json, write_config
from hatrack.models.gguf.lora import read_gguf_lora
from hatrack.models.gguf.shape import base_of_config
from hatrack.models.loading import BaseModelFiles
from hatrack.models.merging.adapter import MergedAdapter, write_lora

__all__ = ["check_base_name", "lay_out"]

_METHODS = {
    "LORA": "lora",
    "IA3": "ia3",
    "VERA": "vera",
    "LN_TUNING": "ln",
    "PREFIX_TUNING": "prefix",
    "PROMPT_TUNING": "prompt",
    "P_TUNING": "ptuning",
    "ADAPTION_PROMPT": "llama-adapter",
}
_STARTS = ("gaussian", "orthogonal")  # how the matrices began; of the base they change nothing


def lay_out(source: Path, folder: Path, files: BaseModelFiles, module: nn.Module) -> str:
    """Write weights and config of ``source`` (a PEFT folder, or a LoRA in GGUF) into ``folder``; return the method's name here.

    Raises:
        AdapterBroken: truncated or foreign files. AdapterMismatch: made for another architecture. AdapterError: of an
            architecture whose GGUF is not known here.
    """
    if source.is_file():
        sizes = {path: (layer.out_features, layer.in_features) for path, layer in module.named_modules() if isinstance(layer, nn.Linear)}
        weights = read_gguf_lora(source, base_of_config(files.folder, files.config), sizes)
        # PEFT's layout knows one rank; a smaller one is filled up with zeros
        rank = max(a.shape[0] for a, _ in weights.layers.values())
        filled = {path: _at_rank(a, b, rank) for path, (a, b) in weights.layers.items()}
        write_lora(folder, MergedAdapter(type(weights)(filled), rank, 1.0), files.spec, "CAUSAL_LM")
        return "lora"
    shutil.copyfile(source / WEIGHTS, folder / WEIGHTS)
    config = read_json(source)
    if config.get("init_lora_weights") in _STARTS:
        config["init_lora_weights"] = True
    write_config(folder, config)
    if config.get("use_dora"):
        return "dora"
    if config.get("use_rslora"):
        return "rslora"
    kind = str(config.get("peft_type"))
    return _METHODS.get(kind, kind.lower())


def check_base_name(source: Path, known: set[str]) -> None:
    """Compare the base that a PEFT folder names with those that are this project's.

    A name proves little, and another name proves nothing; but who sees two names should know why.

    Raises:
        AdapterMismatch: it names another one.
    """
    named = read_json(source).get("base_model_name_or_path") if source.is_dir() else None
    if not isinstance(named, str) or not named or Path(named).name.lower() in {Path(name).name.lower() for name in known}:
        return
    raise AdapterMismatch(
        "the adapter says that it was trained on another base model",
        given=f"base_model_name_or_path: {named}",
        allowed=", ".join(sorted(Path(name).name if name.startswith("/") else name for name in known)),
        fix="set `base` in hatrack.yaml to that base; or, if both are the same model under two names, say --same-base",
    )


def _at_rank(a: Any, b: Any, rank: int) -> tuple[Any, Any]:
    missing = rank - a.shape[0]
    return nn.functional.pad(a, (0, 0, 0, missing)), nn.functional.pad(b, (0, missing))
