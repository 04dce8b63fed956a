"""FSDP and DeepSpeed, which take the model into their own hands: which of their kinds train what plain processes do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.distributed.fsdp import FSDPModule
from transformers.trainer import SCHEDULER_NAME

from hatrack.core.errors import TrainingError

__all__ = ["check_engine", "divide_again", "save_sharded_optimizer"]


def check_engine(environment: Mapping[str, str] = os.environ) -> None:
    """Refuse engines whose trained weights could not be taken out whole.

    Raises:
        TrainingError: FSDP of version 1, or DeepSpeed with divided weights.
    """
    if _on(environment, "ACCELERATE_USE_FSDP") and environment.get("FSDP_VERSION", "1") != "2":
        raise TrainingError(
            "FSDP of version 1 flattens frozen and trained weights into one",
            given=f"fsdp_version: {environment.get('FSDP_VERSION', '1')}",
            allowed="fsdp_version: 2",
            fix="take examples/accelerate/fsdp.yaml",
        )
    stage = environment.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    if _on(environment, "ACCELERATE_USE_DEEPSPEED") and stage not in ("0", "1", "2"):
        raise TrainingError(
            "DeepSpeed's stage 3 divides the weights; Hatrack takes FSDP for that",
            given=f"zero_stage: {stage}",
            allowed="zero_stage: 0, 1 or 2",
            fix="take examples/accelerate/fsdp.yaml, or deepspeed.yaml beside it",
        )


def divide_again(model: object) -> None:
    """After a forward pass without a backward one FSDP keeps the outermost weights whole, where the optimizer does not know them."""
    if isinstance(model, FSDPModule):
        model.reshard()


def save_sharded_optimizer(loop: Any, folder: str) -> None:
    """The optimizer's state of all processes and the schedule; without the model, which the Trainer would write whole."""
    from accelerate.utils import save_fsdp_optimizer

    save_fsdp_optimizer(loop.accelerator.state.fsdp_plugin, loop.accelerator, loop.optimizer, loop.model, folder)
    if loop.args.should_save:
        torch.save(loop.lr_scheduler.state_dict(), Path(folder) / SCHEDULER_NAME)


def _on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() == "true"
