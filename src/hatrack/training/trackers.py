"""Trackers that follow a run beside Hatrack's own events: on this machine only, unless the user's environment says otherwise."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hatrack.core.extras import require

__all__ = ["tracking"]

_TELEMETRY = {"MLFLOW_DISABLE_TELEMETRY": "true", "WANDB_ERROR_REPORTING": "false"}  # read when the packages are imported

# Trackers with one run for each process: how to see it, and how to close it (True: training came to its end).
_RUNS: dict[str, tuple[Callable[[Any], object], Callable[[Any, bool], object]]] = {
    "mlflow": (lambda mlflow: mlflow.active_run(), lambda mlflow, whole: mlflow.end_run("FINISHED" if whole else "FAILED")),
    # without the teardown the folder of the first run would be that of all that follow
    "wandb": (lambda wandb: wandb.run, lambda wandb, whole: (wandb.finish(0 if whole else 1), wandb.teardown())),
}


@contextlib.contextmanager
def tracking(names: Sequence[str], run: Path) -> Iterator[None]:
    """Let the Trainer's own callbacks for ``names`` write into the run's folder, and nothing leave the machine (F17).

    Variables that are set already (a tracking server of the company) are left as they are. What was opened inside the
    block is closed with it: the next adapter of the same command is a run of its own.

    Raises:
        MissingExtra: a tracker is not installed.
    """
    wanted = _TELEMETRY | {
        "TENSORBOARD_LOGGING_DIR": str(run / "tensorboard"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{run / 'mlflow.db'}",
        "MLFLOW_EXPERIMENT_NAME": "hatrack",
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(run),
        "WANDB_PROJECT": "hatrack",
    }
    new = {name: value for name, value in wanted.items() if names and name not in os.environ}
    os.environ.update(new)
    try:
        modules = {name: require(name, extra="trackers", reason=f"train.report_to: {name}") for name in names}
        with contextlib.ExitStack() as stack:
            for name in modules.keys() & _RUNS.keys():
                stack.enter_context(_run_of_its_own(modules[name], *_RUNS[name]))
            yield
    finally:
        for name in new:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _run_of_its_own(module: Any, current: Callable[[Any], object], close: Callable[[Any, bool], object]) -> Iterator[None]:
    """Close what is opened inside the block; a run that the caller had open stays open and is logged into."""
    if current(module):
        yield
        return
    whole = False
    try:
        yield
        whole = True
    finally:
        if current(module):
            close(module, whole)
