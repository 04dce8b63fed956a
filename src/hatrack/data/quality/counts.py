"""How many rows each split has, and why rows were left out."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from pydantic import Field

from hatrack.data.quality.record import Record

__all__ = ["Counts", "rejection_reasons"]

_SHOWN = 12
# What differs between two rows that are wrong in the same way.
_PARTICULAR = re.compile(r"'[^']*'|\"[^\"]*\"|0x[0-9a-f]{2}|(?<![\w-])\d(?:[\d,.]*\d)?")


class Counts(Record):
    """Rows that are used, and rows that are not."""

    rows: dict[str, int] = Field(description="Rows of each split.")
    rejected: int = Field(description="Rows that could not be used and were left out.")
    reasons: dict[str, int] = Field(description="Rejected rows by reason, most frequent first; what differs between rows is written '…'.")

    @property
    def total(self) -> int:
        """Rows in all splits."""
        return sum(self.rows.values())


def rejection_reasons(path: Path) -> dict[str, int]:
    """Count the reasons in a reject file, most frequent first; a file that is not there holds none."""
    reasons: Counter[str] = Counter()
    if path.is_file():
        with path.open(encoding="utf-8") as stream:
            reasons.update(_PARTICULAR.sub("…", json.loads(line)["reason"]) for line in stream)
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return dict(ordered[:_SHOWN])
