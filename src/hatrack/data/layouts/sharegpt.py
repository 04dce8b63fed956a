"""The ``sharegpt`` layout: a column ``conversations`` whose turns have ``from`` and ``value``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.layouts.base import Rows, Yields, each_row
from hatrack.data.layouts.turns import has_turns, turns_in

__all__ = ["ShareGpt"]


class ShareGpt:
    """A conversation in a row: human is the user, gpt the assistant."""

    yields: Yields = "conversation"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        if not any(has_turns(cells.get("conversations"), "from", "value") for cells in first):
            return None
        return "a column of conversations with from and value: the ShareGPT layout"

    def convert(self, rows: Rows) -> Rows:
        return each_row(rows, _converted)


def _converted(cells: dict[str, Any]) -> dict[str, Any]:
    rest = {column: value for column, value in cells.items() if column != "conversations"}
    return {"messages": turns_in(cells, "conversations", "from", "value"), **rest}
