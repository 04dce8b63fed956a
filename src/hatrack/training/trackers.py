"""Trackers that follow a run beside Hatrack's own events: on this machine only, unless the user's environment says otherwise."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hatrack.core.extras import require

__all__ = ["tracking"]


@contextlib.contextmanager
def tracking(names: Sequence[str], run: Path) -> Iterator[None]:
    """Let the Trainer's own callbacks for ``names`` write into the run's folder, and wandb keep off the network (F17).

    Variables that are set already (a tracking server of the company) are left as they are.

    Raises:
        MissingExtra: a tracker is not installed.
    """
    for name in names:
        require(name, extra="trackers", reason=f"train.report_to: {name}")
    wanted = {
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
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
