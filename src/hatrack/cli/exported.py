"""Exports on the screen."""

from __future__ import annotations

from rich.table import Table

from hatrack.core.exported import ExportRecord

__all__ = ["export_table"]


def export_table(record: ExportRecord) -> Table:
    """A row for each part: its size, the tool that opened it, and what leaving cost; of an embedder, how close its vectors are."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("part", "bytes", "opened with", "likeness"):
        table.add_column(name, justify="right" if name in ("bytes", "likeness") else "left")
    measured = [part.quality for part in record.parts if part.quality is not None]
    if measured:
        speed = "tokens/s" if measured[0].tokens_per_second else "rows/s"
        for name in (f"{measured[0].metric} here", "there", "change (95 %)", "same", speed):
            table.add_column(name, justify="right")
    if any(part.closeness for part in record.parts):
        for name in ("mean cosine", "lowest"):
            table.add_column(name, justify="right")
    for part in record.parts:
        cells = [part.name, f"{part.bytes:,}", part.tool, f"{part.likeness:.4f}"]
        if part.quality is not None:
            found = part.quality
            change = f"{found.there - found.here:+.3f} ({found.change.low:+.3f} to {found.change.high:+.3f})"
            rate = found.tokens_per_second or found.rows_per_second
            cells += [f"{found.here:.3f}", f"{found.there:.3f}", change, f"{found.same:.1%}", f"{rate:.1f}"]
        if part.closeness is not None:
            cells += [f"{part.closeness.mean:.4f}", f"{part.closeness.lowest:.4f}"]
        table.add_row(*cells)
    return table
