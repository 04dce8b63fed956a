"""What a training run leaves in its folder, for all who read it: training itself, and pages that may not load a trainer."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

__all__ = ["ADAPTER", "EVENTS", "REPORT", "SETTINGS", "adapter_of", "read_events", "read_settings"]

EVENTS = "events.jsonl"  # every logged figure, while it works
REPORT = "report.html"
SETTINGS = "settings.json"  # base, data, and everything that decides what is learned from them
ADAPTER = "adapter"  # the finished adapter


def adapter_of(run: Path) -> str:
    """Whose run it is: the folder's name is the adapter's, a dash, and a digest of what decides the run."""
    return run.name.rpartition("-")[0]


def read_events(run: Path) -> list[dict[str, Any]]:
    """The logged figures of a run, each step once: after a resume the later entry counts, and a torn line is left out."""
    by_step: dict[tuple[int, bool], dict[str, Any]] = {}
    with (run / EVENTS).open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            with contextlib.suppress(json.JSONDecodeError):  # a kill, or a full disk, in the middle of a line
                event = json.loads(line)
                by_step[event["step"], "eval_loss" in event] = event
    return [by_step[key] for key in sorted(by_step)]


def read_settings(run: Path) -> dict[str, Any]:
    """What a run is trained with; empty where it was begun before this was kept."""
    try:
        found = json.loads((run / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
