"""The ``alpaca`` layout: instruction, input, output (Taori et al., Stanford Alpaca, 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.layouts.base import Rows, Yields, each_row
from hatrack.data.layouts.pairs import as_conversation, holds_text

__all__ = ["Alpaca"]


class Alpaca:
    """One question with its answer in a row; ``input`` may be empty or missing."""

    yields: Yields = "conversation"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        if not {"instruction", "output"} <= set(columns) or not holds_text(first, "instruction", "input", "output"):
            return None
        return f"columns instruction, {'input, ' if 'input' in columns else ''}output: the Alpaca layout"

    def convert(self, rows: Rows) -> Rows:
        return each_row(rows, lambda cells: as_conversation(cells, "instruction", "input", "output"))
