"""Training on from an adapter: its weights are the start, and the reference of preference learning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from torch import nn

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import AdapterMismatch, TrainingError
from hatrack.core.lineage import Manifest
from hatrack.models.adapters.folder import WEIGHTS, read_tensors
from hatrack.models.loading import BaseModelFiles

__all__ = ["Parent", "check_parent", "start_from"]


@dataclass(frozen=True)
class Parent:
    """A registered version to train on from: what it is, and where its files lie."""

    manifest: Manifest
    folder: Path


def check_parent(parent: Parent, config: AdapterConfig, options: dict[str, Any], files: BaseModelFiles, template_hash: str) -> None:
    """Refuse a start that training could not stand on.

    Raises:
        AdapterMismatch: another base or template. TrainingError: another method or other options.
    """
    manifest = parent.manifest
    name = f"{manifest.name}@{manifest.version}"
    for what, theirs, here in (
        ("base model", manifest.base_fingerprint, files.fingerprint),
        ("chat template", manifest.template_hash, template_hash),
    ):
        if theirs != here:
            raise AdapterMismatch(
                f"the parent {name} belongs to another {what}",
                given=theirs[:12],
                allowed=here[:12],
                fix="train the parent again on this base, or leave `parent` out",
            )
    if config.task == "classify" or manifest.config["task"] == "classify":
        raise TrainingError("a classifier on an encoder cannot train on from a parent", given=name, fix="leave `parent` out")
    had = {"method": manifest.config["method"], **manifest.config["options"]}
    wanted = {"method": config.method, **options}
    other = [key for key in {**had, **wanted} if had.get(key) != wanted.get(key)]
    if other:
        raise TrainingError(
            f"the parent {name} was trained in another way; its weights do not fit",
            given=", ".join(f"{key}: {wanted.get(key)}" for key in other),
            allowed=", ".join(f"{key}: {had.get(key)}" for key in other),
            fix="give this adapter the parent's method and options",
        )


def start_from(adapted: nn.Module, parent: Parent) -> None:
    """Give ``adapted`` the parent's weights.

    Raises:
        TrainingError: the method is none of PEFT's, or the weights are not those of this method and base.
        AdapterBroken: the parent's file is damaged.
    """
    if not isinstance(adapted, PeftModel):
        raise TrainingError(
            "this method cannot train on from a parent",
            given=str(parent.manifest.config["method"]),
            allowed="a method of PEFT's: lora and its kin",
            fix="leave `parent` out",
        )
    model = cast(Any, adapted)
    tensors = read_tensors(parent.folder / WEIGHTS)
    wanted = {key: tuple(tensor.shape) for key, tensor in get_peft_model_state_dict(model, save_embedding_layers=False).items()}
    given = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    if wanted != given:
        key = next(key for key in {**wanted, **given} if wanted.get(key) != given.get(key))
        raise TrainingError(
            "the parent's weights do not fit this base",
            given=f"{key}: {given.get(key)}",
            allowed=str(wanted.get(key)),
            fix="train the parent again",
        )
    set_peft_model_state_dict(model, tensors)
