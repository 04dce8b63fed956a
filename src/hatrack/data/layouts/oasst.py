"""The ``oasst`` layout: trees of messages, a message in a row (Köpf et al., OpenAssistant Conversations, arXiv:2304.07327)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.cells import shown
from hatrack.data.layouts.base import Rows, Yields
from hatrack.data.layouts.held import Held
from hatrack.data.layouts.trees import Node, best_path, is_left_out, node_of
from hatrack.data.records import RowFault

__all__ = ["Oasst"]


class Oasst:
    """Trees to conversations, see ``trees``. A conversation has the number of the row of its first message."""

    yields: Yields = "conversation"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        needed = ("message_id", "parent_id", "role", "text")
        return f"columns {', '.join(needed)}: trees of the OpenAssistant layout" if set(needed) <= set(columns) else None

    def convert(self, rows: Rows) -> Rows:
        replies: Held[Node] = Held()
        seen: dict[str, int] = {}
        left_out: set[str] = set()
        for row in rows:
            if isinstance(row, RowFault):
                yield row
                continue
            try:
                node = node_of(row.columns, row.number)
            except ValueError as error:
                yield RowFault(row.number, str(error), shown(row))
                continue
            if node.id in seen:
                yield RowFault(row.number, f"message_id {node.id!r} is already used in row {seen[node.id]}", shown(row))
                continue
            seen[node.id] = row.number
            if is_left_out(row.columns):
                left_out.add(node.id)
            else:
                replies.add(node.parent, node, len(node.text))
        for root in replies.get(""):
            yield best_path(root, replies.get)
        for parent, orphans in replies.groups():
            if parent and parent not in seen and parent not in left_out:
                yield from (RowFault(orphan.number, f"the message {parent!r} it answers is not in this file") for orphan in orphans)
