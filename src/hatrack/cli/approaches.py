"""What ``hatrack compare`` shows: a line for each approach, and why some have none."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from hatrack.workflows.bakeoff.record import Bakeoff
from hatrack.workflows.bakeoff.words import cells, headings

__all__ = ["compare_tables"]


def compare_tables(found: Bakeoff) -> list[Table]:
    """The measured approaches, best first, and the others with their reason."""
    table = Table(
        title=f"{found.adapter}: {found.test_rows:,} test rows, {found.train_rows:,} training rows", title_justify="left", box=SIMPLE_HEAD
    )
    for heading, figures in headings(found):
        table.add_column("\n".join(heading.split(" ", 1)), justify="right" if figures else "left", no_wrap=True)
    for entry in found.entries:
        chosen = entry.approach == found.recommendation.approach
        table.add_row(*cells(entry, found), style="bold green" if chosen else "dim" if entry.broken else "")
    tables = [table]
    if found.skipped:
        others = Table(title="not measured", title_justify="left")
        for heading in ("approach", "", "why"):
            others.add_column(heading, no_wrap=heading == "approach")
        for one in found.skipped:
            others.add_row(one.approach, one.kind, one.reason)
        tables.append(others)
    return tables
