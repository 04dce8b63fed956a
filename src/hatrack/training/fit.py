"""Does it go together: a task, a method and a base. Asked before anything is loaded, and answered from what each says of itself."""

from __future__ import annotations

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import TrainingError
from hatrack.core.names import closest
from hatrack.models.loading import BaseModelFiles, Kind
from hatrack.training.methods.base import METHODS, Method
from hatrack.training.objectives.base import OBJECTIVES, Objective

__all__ = ["check_fit"]

_BASES: dict[Kind, str] = {"encoder": "an encoder", "causal": "a causal language model"}
_NEEDS: dict[Kind, str] = {"encoder": "an encoder", "causal": "a base that generates text"}


def check_fit(config: AdapterConfig, files: BaseModelFiles, method: Method, objective: Objective) -> None:
    """Refuse what could not be trained.

    Raises:
        TrainingError: the task or the method is for another kind of base, or the method cannot serve the task.
    """
    base = _BASES[files.kind]
    if files.kind != objective.kind:
        tasks = [name for name in OBJECTIVES.names() if OBJECTIVES.get(name).kind == files.kind]
        near = closest(config.task, tasks, 1) or tasks
        raise TrainingError(
            f"task {config.task} needs {_NEEDS[objective.kind]}",
            given=f"{files.spec} is {base}",
            allowed=f"on {base}: {', '.join(tasks)}",
            fix=f"set task: {near[0]}, or choose another base",
        )
    if files.kind not in method.traits.kinds:
        raise TrainingError(
            f"method {config.method} makes no sense on {base}",
            given=f"method: {config.method}, base: {files.spec}",
            allowed=", ".join(name for name in METHODS.names() if files.kind in METHODS.get(name).traits.kinds),
            fix="choose another method; `hatrack methods` says what each is for",
        )
    if config.task == "prefer" and not method.traits.leaves_base:
        raise TrainingError(
            f"method {config.method} has no reference to prefer against: without the adapter its base is another model",
            given=f"task: prefer, method: {config.method}",
            allowed=", ".join(name for name in METHODS.names() if METHODS.get(name).traits.leaves_base),
            fix="set method: lora",
        )
