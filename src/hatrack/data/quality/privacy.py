"""Personal data in the rows, as counts by type. The values themselves never enter a report."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from hatrack.data.quality.record import Record

__all__ = ["Privacy", "privacy"]


class Privacy(Record):
    """Rows with personal data."""

    rows: dict[str, int] = Field(description="Type to the number of rows that hold it, most frequent first.")
    shares: dict[str, float]


def privacy(found: Mapping[str, int], rows: int) -> Privacy:
    """Shares of ``rows`` for counts by type."""
    ordered = dict(sorted(((kind, count) for kind, count in found.items() if count), key=lambda item: (-item[1], item[0])))
    return Privacy(rows=ordered, shares={kind: count / max(rows, 1) for kind, count in ordered.items()})
