"""A data file as a table: rows that cannot be read are numbered and kept aside, and too many of them are refused."""

from __future__ import annotations

import json
from pathlib import Path

from hatrack.core.atomic import write_text
from hatrack.core.errors import DataFileError, RowErrors
from hatrack.data.readers.base import READERS, open_rows, sources
from hatrack.data.records import RawRow, RowFault
from hatrack.tabular.table import Table

__all__ = ["read_table"]

_SHOWN = 5
_MOST_BYTES = 1_000_000  # of one row


def read_table(path: Path, format_name: str = "auto", max_rejected: float = 0.0, rejects: Path | None = None) -> tuple[Table, list[str]]:
    """Read a file; returns the table and notes on what was left out.

    Args:
        max_rejected: share of rows that may be left out.
        rejects: where rows that were left out are written, with their reasons.

    Raises:
        DataFileError: the file cannot be read, or is no table. RowErrors: too many rows cannot be read.
    """
    for source in sources(path, format_name):
        if source.reader and READERS.get(source.reader).document:
            raise DataFileError(
                "this file is a document, not a table", given=source.name, allowed="CSV, Parquet, JSON or JSONL", fix="export it as CSV"
            )
    good: list[RawRow] = []
    bad: list[RowFault] = []
    for row in open_rows(path, format_name, _MOST_BYTES, "columns"):
        if isinstance(row, RawRow):
            good.append(row)
        else:
            bad.append(row)
    notes = []
    if bad:
        share = len(bad) / (len(bad) + len(good))
        if rejects is not None:
            lines = (json.dumps({"row": f.number, "reason": f.reason, "excerpt": f.excerpt[:80]}) + "\n" for f in bad)
            write_text(rejects, "".join(lines))
        if share > max_rejected:
            raise RowErrors(
                "rows of the table cannot be read",
                rows=tuple((fault.number, fault.reason) for fault in bad[:_SHOWN]),
                total=len(bad),
                given=f"{len(bad)} of {len(bad) + len(good)} rows of {path.name}" + (f"; all of them: {rejects}" if rejects else ""),
                allowed=f"at most {max_rejected:.2%} (max_rejected)",
                fix="correct these rows, or raise max_rejected if they may be left out",
            )
        notes.append(f"{len(bad)} rows cannot be read and are left out; see {rejects}")
    if not good:
        raise DataFileError("the data file holds no rows", given=str(path), allowed="rows under a header", fix="check the export")
    return Table.of_rows([row.columns for row in good], [row.number for row in good]), notes
