"""How registries are shown: where one is, its log, what moved, what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from hatrack.registry.audit import Event
    from hatrack.registry.care import Fault
    from hatrack.registry.exchange import Moved
    from hatrack.registry.store import Registry

__all__ = ["facts", "fault_table", "log_table", "moved_as_dict", "moved_line"]


def facts(registry: Registry) -> dict[str, Any]:
    """Where a registry is and what it holds."""
    from hatrack.core.lineage import TABLE
    from hatrack.registry.migrate import CURRENT

    names, tables = registry.names(), registry.names(TABLE)
    return {
        "database": registry.place.shown,
        "blobs": registry.place.blobs,
        "shared": registry.place.shared,
        "revision": CURRENT,
        "adapters": len(names),
        "tables": len(tables),
        "versions": sum(len(registry.versions(name)) for name in [*names, *tables]),
    }


def log_table(events: Sequence[Event]) -> Table:
    """Oldest first."""
    table = _table("when", "who", "what", "version", "before", "why")
    for event in events:
        version = f"{event.name}@{event.version}" if event.name else ""
        table.add_row(
            event.created[:19].replace("T", " "), event.actor or "not recorded", event.action, version, event.previous or "", event.reason
        )
    return table


def fault_table(faults: Sequence[Fault]) -> Table:
    """What verification found."""
    table = _table("version and file", "wrong", "where")
    for fault in faults:
        table.add_row(fault.version, fault.wrong, fault.where)
    return table


def moved_line(moved: Moved) -> str:
    """One version that went from one registry into another."""
    here, there = f"{moved.source.name}@{moved.source.version}", f"{moved.target.name}@{moved.target.version}"
    with_it = (
        f"{moved.reports} reports, {moved.attachments} other records" if moved.reports or moved.attachments else "nothing new about it"
    )
    if moved.source.version != moved.target.version:
        return f"{here} is called {there} there ({with_it})"
    return f"{here} ({with_it})" if moved.new else f"{here} was there already ({with_it})"


def moved_as_dict(moved: Moved) -> dict[str, Any]:
    """The same for programs."""
    return {
        "name": moved.source.name,
        "version": moved.source.version,
        "version_there": moved.target.version,
        "digest": moved.source.digest,
        "new": moved.new,
        "reports": moved.reports,
        "attachments": moved.attachments,
    }


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
