"""Whether task, method and base fit together: known from the config alone, before anything is loaded."""

from __future__ import annotations

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import TrainingError
from hatrack.models.loading import BaseModelFiles
from hatrack.training.methods.base import METHODS
from hatrack.training.objectives.base import OBJECTIVES

__all__ = ["check_fit", "check_method", "check_task"]


def check_fit(config: AdapterConfig, files: BaseModelFiles) -> None:
    """As ``check_task`` and ``check_method``.

    Raises:
        TrainingError: they do not fit.
    """
    check_task(config, files)
    check_method(config, files)


def check_task(config: AdapterConfig, files: BaseModelFiles) -> None:
    """Refuse a task on a base of the other kind.

    Raises:
        TrainingError: it needs an encoder, or a model that generates text.
    """
    kind = OBJECTIVES.get(config.task).kind
    if files.kind != kind:
        raise TrainingError(
            f"task {config.task} needs {'an encoder' if kind == 'encoder' else 'a base that generates text'}",
            given=f"{files.spec} is {'an encoder' if files.kind == 'encoder' else 'a causal language model'}",
            allowed="classify on an encoder; classify-by-text and instruct on a causal model",
            fix="set task: classify-by-text" if config.task == "classify" else "set task: classify, or another base",
        )


def check_method(config: AdapterConfig, files: BaseModelFiles) -> None:
    """Refuse a method that is not for this kind of base, or not for this task.

    Raises:
        TrainingError: it makes no sense on the base, or has no reference to prefer against.
    """
    traits = METHODS.get(config.method).traits
    if files.kind not in traits.kinds:
        fitting = [name for name in METHODS.names() if files.kind in METHODS.get(name).traits.kinds]
        raise TrainingError(
            f"method {config.method} makes no sense on {'an encoder' if files.kind == 'encoder' else 'a causal language model'}",
            given=f"method: {config.method}, base: {files.spec}",
            allowed=", ".join(fitting),
            fix="choose another method; `hatrack methods` says what each is for",
        )
    if config.task == "prefer" and not traits.leaves_base:
        raise TrainingError(
            f"method {config.method} has no reference to prefer against: without the adapter its base is another model",
            given=f"task: prefer, method: {config.method}",
            allowed=", ".join(name for name in METHODS.names() if METHODS.get(name).traits.leaves_base),
            fix="set method: lora",
        )
