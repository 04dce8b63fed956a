"""What schedules found: one line of JSON for each run, never changed afterwards. When a job ran last is read from here too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hatrack.core.atomic import storage_errors
from hatrack.core.config_watch import Schedule, seconds_of

__all__ = ["History", "Ran"]


class Ran(BaseModel):
    """One run of one schedule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: float = Field(description="When it began, Unix seconds.")
    job: str
    adapter: str
    version: str = ""
    outcome: Literal["fine", "alert", "failed"]
    reasons: tuple[str, ...] = ()
    retrained: str = Field("", description="The version that a retraining made, and whether it passed the gate.")
    told: str = Field("", description="Whether the webhook took the alert.")


class History:
    """The file of a project."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, ran: Ran) -> None:
        """Write one line.

        Raises:
            StorageError: the disk refuses.
        """
        with storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(ran.model_dump_json() + "\n")

    def read(self) -> list[Ran]:
        """All runs, oldest first; a line that was cut off by a crash is passed over."""
        if not self._path.is_file():
            return []
        found = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(Ran.model_validate(json.loads(line)))
            except (ValueError, ValidationError):
                continue
        return found

    def due(self, schedule: Schedule, now: float) -> float:
        """Seconds until a schedule is due; 0 or less: it is. What never ran is due."""
        times = [ran.at for ran in self.read() if (ran.job, ran.adapter) == (schedule.job, schedule.adapter)]
        return max(times) + seconds_of(schedule.every) - now if times else 0.0
