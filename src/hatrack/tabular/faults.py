"""Rows that a model cannot take: every one of them, by row and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hatrack.core.errors import RowErrors

__all__ = ["CellFault", "CellFaults", "CellNote"]


@dataclass(frozen=True)
class CellFault:
    """One cell that cannot be used: the number of its row, its column, why, and what stands there."""

    row: int
    column: str
    reason: str
    given: str = ""


@dataclass(frozen=True)
class CellNote:
    """One cell that was used, and what was remarkable about it."""

    row: int
    column: str
    note: str


class CellFaults(RowErrors):
    """Rows that cannot be predicted. ``faults`` names each cell."""

    def __init__(self, faults: Sequence[CellFault], total_rows: int) -> None:
        super().__init__(
            "these rows cannot be predicted; nothing was" if total_rows > 1 else "this row cannot be predicted",
            rows=tuple((f.row, f"column {f.column}: {f.reason}" + (f" (given: {f.given})" if f.given else "")) for f in faults),
            given=f"{len(faults)} faults in {len({fault.row for fault in faults})} of {total_rows} rows",
            allowed="cells as in training; an empty one counts as missing",
            fix="correct these cells",
        )
        self.faults = tuple(faults)
