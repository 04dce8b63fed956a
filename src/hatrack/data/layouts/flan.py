"""The ``flan`` layout: inputs, targets, task (the FLAN collection, Longpre et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.layouts.base import Rows, Yields, each_row
from hatrack.data.layouts.pairs import as_conversation, holds_text

__all__ = ["Flan"]


class Flan:
    """One prompt, already worded for its task, with its target in a row; ``task`` passes through."""

    yields: Yields = "conversation"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        if not {"inputs", "targets"} <= set(columns) or not holds_text(first, "inputs", "targets"):
            return None
        return f"columns inputs, targets{', task' if 'task' in columns else ''}: the FLAN layout"

    def convert(self, rows: Rows) -> Rows:
        return each_row(rows, lambda cells: as_conversation(cells, "inputs", "", "targets"))
