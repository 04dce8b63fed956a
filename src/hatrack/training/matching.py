"""Does it go together: a task, a method and a base. Asked before anything is loaded, and answered from what each says of itself."""

from __future__ import annotations

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import TrainingError
from hatrack.core.names import closest
from hatrack.models.loading import BaseModelFiles, Kind
from hatrack.training.methods.base import METHODS
from hatrack.training.objectives.base import OBJECTIVES

__all__ = ["check_fit", "check_method", "check_task"]

_BASES: dict[Kind, str] = {"encoder": "an encoder", "causal": "a causal language model"}
_NEEDS: dict[Kind, str] = {"encoder": "an encoder", "causal": "a base that generates text"}


def check_fit(config: AdapterConfig, files: BaseModelFiles) -> None:
    """As ``check_task`` and ``check_method``.

    Raises:
        TrainingError: they do not go together, or a setting of training is for another task or method.
    """
    check_task(config, files)
    check_method(config, files)
    if config.train.r_drop and config.task != "classify":
        raise TrainingError(
            "train.r_drop is for task classify",
            given=f"task: {config.task}, r_drop: {config.train.r_drop:g}",
            allowed="task: classify, on an encoder",
            fix="leave out train.r_drop",
        )
    if config.train.ema and not METHODS.get(config.method).traits.averages:
        raise TrainingError(
            f"the weights of method {config.method} cannot be averaged over steps",
            given=f"method: {config.method}, ema: {config.train.ema:g}",
            allowed="train.ema with any other method",
            fix="leave out train.ema, or set method: lora",
        )


def check_task(config: AdapterConfig, files: BaseModelFiles) -> None:
    """Refuse a task on a base of the other kind.

    Raises:
        TrainingError: it needs an encoder, or a model that generates text.
    """
    base, kind = _BASES[files.kind], OBJECTIVES.get(config.task).kind
    if files.kind != kind:
        tasks = [name for name in OBJECTIVES.names() if OBJECTIVES.get(name).kind == files.kind]
        near = closest(config.task, tasks, 1) or tasks
        raise TrainingError(
            f"task {config.task} needs {_NEEDS[kind]}",
            given=f"{files.spec} is {base}",
            allowed=f"on {base}: {', '.join(tasks)}",
            fix=f"set task: {near[0]}, or choose another base",
        )


def check_method(config: AdapterConfig, files: BaseModelFiles) -> None:
    """Refuse a method that is not for this kind of base, or not for this task.

    Raises:
        TrainingError: it makes no sense on the base, or has no reference to prefer against.
    """
    traits = METHODS.get(config.method).traits
    if files.kind not in traits.kinds:
        raise TrainingError(
            f"method {config.method} makes no sense on {_BASES[files.kind]}",
            given=f"method: {config.method}, base: {files.spec}",
            allowed=", ".join(name for name in METHODS.names() if files.kind in METHODS.get(name).traits.kinds),
            fix="choose another method; `hatrack methods` says what each is for",
        )
    if config.task == "prefer" and not traits.leaves_base:
        raise TrainingError(
            f"method {config.method} has no reference to prefer against: without the adapter its base is another model",
            given=f"task: prefer, method: {config.method}",
            allowed=", ".join(name for name in METHODS.names() if METHODS.get(name).traits.leaves_base),
            fix="set method: lora",
        )
