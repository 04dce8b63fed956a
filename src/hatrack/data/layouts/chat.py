"""The ``chat`` layout: a column ``messages`` as OpenAI and most trainers write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.layouts.base import Rows, Yields, each_row
from hatrack.data.layouts.turns import has_turns, turns_in

__all__ = ["Chat"]


class Chat:
    """A conversation in a row. Content may be a list of text parts; turns of tools are refused."""

    yields: Yields = "conversation"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        if {"chosen", "rejected"} & set(columns) or not any(has_turns(cells.get("messages"), "role", "content") for cells in first):
            return None
        return "a column of messages with role and content: the chat layout"

    def convert(self, rows: Rows) -> Rows:
        return each_row(rows, lambda cells: {**cells, "messages": turns_in(cells, "messages")})
