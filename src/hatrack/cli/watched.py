"""The table of what schedules found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table

from hatrack.core.watch_history import Ran

__all__ = ["watch_table"]

_COLOURS = {"fine": "", "alert": "red", "failed": "yellow"}


def watch_table(found: Sequence[Ran]) -> Table:
    """One line for each run, oldest first; times in UTC."""
    table = Table()
    for heading in ("UTC", "job", "adapter", "", "found", "retrained", "webhook"):
        table.add_column(heading)
    for ran in found:
        at = datetime.fromtimestamp(ran.at, UTC).strftime("%Y-%m-%d %H:%M")
        name = f"{ran.adapter}@{ran.version}" if ran.version else ran.adapter
        table.add_row(at, ran.job, name, ran.outcome, "; ".join(ran.reasons), ran.retrained, ran.told, style=_COLOURS[ran.outcome])
    return table
