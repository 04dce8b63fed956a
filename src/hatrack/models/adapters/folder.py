"""The files of one adapter, as PEFT lays them out, plus what Hatrack needs to use it without its project.

adapter_model.safetensors   the trained matrices, PEFT's names
adapter_config.json         PEFT's config; keys outside the list below are refused (F22)
head.safetensors            encoder classifiers only: the class vectors
hatrack.json                task, labels, system prompt, template hash, base fingerprint
probe.safetensors           logits at training time, with and without the adapter (F18)
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hatrack.core.config import Task
from hatrack.core.digest import canonical_json
from hatrack.core.errors import AdapterBroken

__all__ = ["CARD", "CONFIG", "HEAD", "PROBE", "WEIGHTS", "AdapterCard", "read_card", "read_lora_config", "read_tensors"]

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
HEAD = "head.safetensors"
CARD = "hatrack.json"
PROBE = "probe.safetensors"

# Keys of PEFT's LoRA config that serving understands. The value says what may stand there: None means anything of a
# plain type, a tuple lists the only values under which plain LoRA mathematics is right.
_LORA_KEYS: dict[str, tuple[Any, ...] | None] = {
    "r": None,
    "lora_alpha": None,
    "target_modules": None,
    "layers_to_transform": None,
    "layers_pattern": None,
    "lora_dropout": None,
    "use_rslora": (True, False, None),
    "peft_type": ("LORA",),
    "task_type": ("CAUSAL_LM", "FEATURE_EXTRACTION", "SEQ_CLS", None),
    "peft_version": None,
    "base_model_name_or_path": None,
    "revision": None,
    "inference_mode": (True, False),
    "bias": ("none",),
    "init_lora_weights": (True, False),
    "megatron_core": ("megatron.core",),
    "qalora_group_size": None,
}
_OFF: tuple[Any, ...] = (None, False, {}, [], ())  # any other key is harmless only while it is switched off


class AdapterCard(BaseModel):
    """``hatrack.json``: how the adapter wants to be used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["hatrack.card/1"] = "hatrack.card/1"
    task: Task
    method: str
    labels: tuple[str, ...] = ()
    system: str | None = None
    template_hash: str
    base_fingerprint: str
    max_length: int
    answer_schema: dict[str, Any] | None = None
    head_scale: float | None = None

    def write(self, folder: Path) -> None:
        """Write the card into an adapter's folder."""
        (folder / CARD).write_text(canonical_json(self.model_dump(mode="json")), encoding="utf-8")


def read_card(folder: Path) -> AdapterCard:
    """The card of the adapter in ``folder``.

    Raises:
        AdapterBroken: it is missing or not one.
    """
    try:
        return AdapterCard.model_validate_json((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise _broken(folder, f"{CARD}: {str(error).splitlines()[0]}") from error


def read_lora_config(folder: Path) -> dict[str, Any]:
    """PEFT's config of a LoRA adapter, every key known and none that changes the mathematics in silence.

    Raises:
        AdapterBroken: unreadable, or a key that serving does not know.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(folder, f"{CONFIG}: {error}") from error
    if not isinstance(config, dict):
        raise _broken(folder, f"{CONFIG} holds no keys")
    for key, value in config.items():
        allowed = _LORA_KEYS.get(key, _OFF)
        if allowed is not None and value not in allowed:
            raise AdapterBroken(
                f"{CONFIG} asks for something Hatrack does not apply",
                given=f"{key}: {value!r}",
                allowed="plain or rank-stabilised LoRA without bias; " + (f"{key} one of {list(allowed)}" if allowed else ""),
                fix="retrain it with Hatrack, or merge it into its base with the tool that made it",
            )
    for key in ("r", "lora_alpha"):
        if not isinstance(config.get(key), int | float) or not 0 < config[key] < math.inf:
            raise _broken(folder, f"{CONFIG}: {key} is {config.get(key)!r}, a positive number is needed")
    return config


def read_tensors(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file, each checked to be finite.

    Raises:
        AdapterBroken: missing, truncated, not safetensors, or NaN inside.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise _broken(path.parent, f"{path.name}: {error}") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise _broken(path.parent, f"{path.name}: {name} holds NaN or infinity")
    return tensors


def _broken(folder: Path, given: str) -> AdapterBroken:
    return AdapterBroken(
        "the adapter's files cannot be used",
        given=given,
        allowed=f"{WEIGHTS}, {CONFIG}, {CARD} as training wrote them",
        fix=f"train the adapter again, or restore {folder.name} from a backup",
    )
