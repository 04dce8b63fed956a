"""The ``dolly`` layout: instruction, context, response, category (databricks-dolly-15k, 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.layouts.base import Rows, Yields, each_row
from hatrack.data.layouts.pairs import as_conversation, holds_text

__all__ = ["Dolly"]


class Dolly:
    """One question, perhaps about a passage, with its answer in a row; ``category`` passes through."""

    yields: Yields = "conversation"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        needed = ("instruction", "context", "response")
        return (
            "columns instruction, context, response: the Dolly layout"
            if set(needed) <= set(columns) and holds_text(first, *needed)
            else None
        )

    def convert(self, rows: Rows) -> Rows:
        return each_row(rows, lambda cells: as_conversation(cells, "instruction", "context", "response"))
