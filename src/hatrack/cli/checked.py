"""The table of a check: each group with its interval, the base beside it, and what changed for sure."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from hatrack.core.checks import CheckedGroup, CheckReport
from hatrack.core.figures import p_words

__all__ = ["print_check"]

_FAILED = 10


def print_check(console: Console, report: CheckReport, tolerated: float, *, show: int = _FAILED) -> None:
    """Print a report for people; ``show``: failed items at most."""
    compared = any(group.change for group in report.groups)
    table = Table(title=f"{report.subject}: {report.check}", title_justify="left")
    table.add_column("")
    for heading in ("items", "score", "95 % interval", *(("base", "change", "interval, all together", "p") if compared else ())):
        table.add_column(heading, justify="right")
    table.add_column("what passing means")
    for group in report.groups:
        table.add_row(
            group.name,
            str(group.items),
            group.shown(group.score),
            _interval(group),
            *(_changed(group) if compared else ()),
            group.about,
            style=_colour(group, tolerated),
        )
    console.print(table)
    for note in report.skipped:
        console.print(f"  not asked: {note}", style="dim")
    failed = [item for item in report.failed if item.base_passed is not False] or list(report.failed)
    if failed:
        others = f" of {len(report.failed)} failed" if len(failed) > show or len(failed) < len(report.failed) else ""
        console.print(f"{min(show, len(failed))}{others} items{' that the base passed' if compared else ''}; --json has all:")
        for item in failed[:show]:
            console.print(f"  {item.group}, {item.item}: {item.reason}", style="yellow")
            if item.answer:
                console.print(f"    {item.answer}", style="dim")


def _interval(group: CheckedGroup) -> str:
    return f"{group.shown(group.interval.low)} to {group.shown(group.interval.high)}".replace(" to perplexity ", " to ")


def _changed(group: CheckedGroup) -> tuple[str, ...]:
    if group.change is None or group.base is None:
        return ("", "", "", "")
    low, high = group.change.interval.low, group.change.interval.high
    return (group.shown(group.base), f"{group.change.difference:+.3f}", f"{low:+.3f} to {high:+.3f}", p_words(group.change.p_value))


def _colour(group: CheckedGroup, tolerated: float) -> str:
    lost = group.change is not None and group.change.lost(tolerated, higher_is_better=group.higher_is_better)
    return "red" if lost else ""
