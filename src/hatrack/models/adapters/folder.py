"""The files of one adapter, as PEFT lays them out, plus what Hatrack needs to use it without its project.

adapter_model.safetensors   the trained tensors, PEFT's names where PEFT knows the form; changed parameters as differences to the base
adapter_config.json         PEFT's config, or one like it; keys that its form does not know are refused (F22)
head.safetensors            encoder classifiers only: the class vectors
hatrack.json                task, labels, system prompt, template hash, base fingerprint
probe.safetensors           logits at training time, with and without the adapter (F18)
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hatrack.core.config import Task
from hatrack.core.digest import canonical_json
from hatrack.core.errors import AdapterBroken

if TYPE_CHECKING:
    import torch

__all__ = [
    "CARD",
    "CONFIG",
    "HEAD",
    "PROBE",
    "WEIGHTS",
    "AdapterCard",
    "Allowed",
    "TrainedOn",
    "foreign",
    "read_card",
    "read_config",
    "read_json",
    "read_tensors",
    "write_adapter",
    "write_config",
]

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
HEAD = "head.safetensors"
CARD = "hatrack.json"
PROBE = "probe.safetensors"

# What may stand in a config: each key that a form understands, and its values. None means anything of a plain type; a
# tuple lists the only values under which the form's mathematics is right.
Allowed = Mapping[str, tuple[Any, ...] | None]
_EVERYWHERE: Allowed = {
    "task_type": ("CAUSAL_LM", "FEATURE_EXTRACTION", "SEQ_CLS", None),
    "peft_version": None,
    "base_model_name_or_path": None,
    "revision": None,
    "inference_mode": (True, False),
    "target_modules": None,
}
_OFF: tuple[Any, ...] = (None, False, {}, [], ())  # any other key is harmless only while it is switched off


TrainedOn = Literal["full-precision", "nf4"]


class AdapterCard(BaseModel):
    """``hatrack.json``: how the adapter wants to be used.

    Attributes:
        trained_on: how the base was held while the adapter was trained; it is used in full precision either way.
    """

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
    trained_on: TrainedOn = "full-precision"

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


def read_json(folder: Path) -> dict[str, Any]:
    """The adapter's config as it stands.

    Raises:
        AdapterBroken: it is missing or no JSON object.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(folder, f"{CONFIG}: {error}") from error
    if not isinstance(config, dict):
        raise _broken(folder, f"{CONFIG} holds no keys")
    return config


def read_config(folder: Path, allowed: Allowed, what: str, positive: tuple[str, ...] = ()) -> dict[str, Any]:
    """The adapter's config, every key known to its form and none that changes the mathematics in silence (F22).

    Args:
        allowed: the form's own keys, beside those that stand in every config of PEFT.
        what: the form in words, for the message.
        positive: keys that must hold positive numbers.

    Raises:
        AdapterBroken: unreadable, or a key or a value that the form does not know.
    """
    config, known = read_json(folder), {**_EVERYWHERE, **allowed}
    for key, value in config.items():
        values = known.get(key, _OFF)
        if values is not None and value not in values:
            raise AdapterBroken(
                f"{CONFIG} asks for something Hatrack does not apply",
                given=f"{key}: {value!r}",
                allowed=f"{what}; " + (f"{key} one of {list(values)}" if values else ""),
                fix="retrain it with Hatrack, or merge it into its base with the tool that made it",
            )
    for key in positive:
        if isinstance(config.get(key), bool) or not isinstance(config.get(key), int | float) or not 0 < config[key] < math.inf:
            raise _broken(folder, f"{CONFIG}: {key} is {config.get(key)!r}, a positive number is needed")
    return config


def write_adapter(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write an adapter's config and weights: the same bytes for the same values."""
    from safetensors.torch import save_file

    save_file({key: tensor.detach().contiguous() for key, tensor in sorted(tensors.items())}, folder / WEIGHTS)
    write_config(folder, config)


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write an adapter's config alone."""
    (folder / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")


def read_tensors(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file, each checked to be finite.

    Raises:
        AdapterBroken: missing, truncated, not safetensors, or NaN inside.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise _broken(path.parent, f"{path.name}: {error}") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel():
            least, most = tensor.aminmax()  # one pass; both are NaN where there is one
            if not (math.isfinite(least.item()) and math.isfinite(most.item())):
                raise _broken(path.parent, f"{path.name}: {name} holds NaN or infinity")
    return tensors


def _broken(folder: Path, given: str) -> AdapterBroken:
    return AdapterBroken(
        "the adapter's files cannot be used",
        given=given,
        allowed=f"{WEIGHTS}, {CONFIG}, {CARD} as training wrote them",
        fix=f"train the adapter again, or restore {folder.name} from a backup",
    )


def foreign(folder: Path, given: str, allowed: str) -> AdapterBroken:
    """The error for weights that are not what the config beside them says."""
    return AdapterBroken(
        f"{WEIGHTS} does not match {CONFIG}",
        given=given,
        allowed=allowed,
        fix=f"train the adapter again, or restore {folder.name} from a backup",
    )
