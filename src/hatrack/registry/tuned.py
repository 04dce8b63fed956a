"""An adapter of changed parameters (``full``, ``last-n``) as a tuned model of its own: base and differences to a model's folder."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hatrack.core.atomic import staged_folder
from hatrack.core.errors import AdapterBroken, AdapterMismatch
from hatrack.models.adapters.delta import held_by
from hatrack.models.delta.parameters import ParameterDelta, read_record, restore_parameters
from hatrack.models.delta.record import model_files
from hatrack.models.loading import BaseModelFiles, load_module

__all__ = ["apply_adapter", "is_adapter", "verify_adapter"]


def is_adapter(path: Path) -> bool:
    """Whether a file holds an adapter's changed parameters; otherwise it is a model's delta, or nothing at all.

    Raises:
        AdapterBroken: it does, and its record is damaged.
    """
    return read_record(path) is not None


def verify_adapter(base: BaseModelFiles, path: Path) -> ParameterDelta:
    """Restore every parameter and compare the fingerprint; nothing is written.

    Raises:
        AdapterBroken: the file is damaged, or was made for another base.
    """
    return _restore(base, path)[0]


def apply_adapter(base: BaseModelFiles, path: Path, folder: Path) -> ParameterDelta:
    """Write the tuned model into ``folder``, in float32, which appears only when it was read back and is right.

    Raises:
        AdapterBroken: the file is damaged, or was made for another base.
        AdapterMismatch: the adapter adds parameters that a model of this architecture has no place for.
        StorageError: the disk refuses.
    """
    record, module, changed = _restore(base, path)
    held = held_by(module)
    added = [name for name in changed if held(name) is None]
    if added:
        raise AdapterMismatch(
            "this adapter adds parameters; they have no place in a model of this architecture",
            given=", ".join(added[:3]),
            allowed="an adapter that changes what the base has: full, last-n",
        )
    with torch.no_grad():
        for name, tensor in changed.items():
            module.get_parameter(name).copy_(tensor)
    with staged_folder(folder) as staging:
        module.save_pretrained(staging)
        for file in model_files(base.folder)[1]:  # tokenizer, chat template
            if not (staging / file.name).exists() and not file.name.endswith(".index.json"):
                shutil.copyfile(file, staging / file.name)
        again: Any = load_module(replace(base, folder=staging))
        if not all(torch.equal(again.get_parameter(name), tensor) for name, tensor in changed.items()):
            raise AdapterBroken("the written model is not the tuned one", given=str(path), fix="report this with the model's name")
    return record


def _restore(base: BaseModelFiles, path: Path) -> tuple[ParameterDelta, Any, dict[str, torch.Tensor]]:
    record = read_record(path)
    if record is None:
        raise AdapterBroken(f"{path.name} holds no changed parameters", given=str(path), allowed="the weights of a full or last-n adapter")
    module: Any = load_module(base)
    return record, module, restore_parameters(path, record, held_by(module))
