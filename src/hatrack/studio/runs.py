"""Training runs as the page shows them: read from the events that each keeps on disk, while it works and afterwards."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.core.project import Project
from hatrack.studio.chart import Series

__all__ = ["Run", "find_run", "runs"]

_EVENTS, _REPORT, _ADAPTER = "events.jsonl", "report.html", "adapter"
_KEY = 13  # characters at the end of a folder's name: a dash and what decides the run


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        key: the folder's name.
        changed: seconds since 1970, of its last event.
        events: each logged step once, as in ``training.curves``.
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
    found = [_read(path.parent) for path in project.runs.glob(f"*/{_EVENTS}")]
    return sorted((run for run in found if run.events), key=lambda run: -run.changed)


def find_run(project: Project, adapter: str, since: float) -> Run | None:
    """The run of an adapter that a job which began at ``since`` works on."""
    return next((run for run in runs(project) if run.adapter == adapter and run.changed >= since), None)


def _read(folder: Path) -> Run:
    by_step: dict[tuple[int, bool], dict[str, Any]] = {}
    with contextlib.suppress(OSError), (folder / _EVENTS).open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            with contextlib.suppress(ValueError):  # the end of a line that is just being written
                event = json.loads(line)
                by_step[event["step"], "eval_loss" in event] = event
    return Run(
        key=folder.name,
        adapter=folder.name[:-_KEY],
        changed=(folder / _EVENTS).stat().st_mtime,
        events=tuple(by_step[key] for key in sorted(by_step)),
        finished=(folder / _ADAPTER).is_dir(),
        report=(folder / _REPORT).is_file(),
    )
