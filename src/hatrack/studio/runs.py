"""Training runs as the page shows them: read from the events that each keeps on disk, while it works and afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.core.project import Project
from hatrack.core.run_folder import ADAPTER, EVENTS, REPORT, adapter_of, read_events
from hatrack.studio.chart import Series

__all__ = ["Run", "find_run", "runs"]


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        key: the folder's name.
        changed: seconds since 1970, of its last event.
        events: each logged step once.
    """

    key: str
    adapter: str
    changed: float
    events: tuple[dict[str, Any], ...]
    finished: bool
    report: bool

    @property
    def last(self) -> dict[str, Any]:
        """The newest training figures."""
        return next((event for event in reversed(self.events) if "loss" in event), {})

    @property
    def best(self) -> float | None:
        """The lowest validation loss."""
        return min((event["eval_loss"] for event in self.events if "eval_loss" in event), default=None)

    def series(self, what: str, name: str) -> Series:
        """A figure over steps."""
        return Series(name, tuple((event["step"], event[what]) for event in self.events if what in event))


def runs(project: Project) -> list[Run]:
    """All runs that have begun to train, the newest first."""
    found = [_read(path.parent) for path in project.runs.glob(f"*/{EVENTS}")]
    return sorted((run for run in found if run is not None), key=lambda run: -run.changed)


def find_run(project: Project, adapter: str, since: float) -> Run | None:
    """The run of an adapter that a job which began at ``since`` works on."""
    return next((run for run in runs(project) if run.adapter == adapter and run.changed >= since), None)


def _read(folder: Path) -> Run | None:
    try:
        events, changed = read_events(folder), (folder / EVENTS).stat().st_mtime
    except OSError:  # it is just being cleared away
        return None
    finished, report = (folder / ADAPTER).is_dir(), (folder / REPORT).is_file()
    return Run(folder.name, adapter_of(folder), changed, tuple(events), finished, report) if events else None
