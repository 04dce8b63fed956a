"""The ``oasst`` layout: trees of messages, a message in a row (Köpf et al., OpenAssistant Conversations, arXiv:2304.07327)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hatrack.data.cells import shown, text_in
from hatrack.data.layouts.base import Rows, Yields
from hatrack.data.layouts.held import Held
from hatrack.data.records import RawRow, RowFault, beginning

__all__ = ["Oasst"]

_ROLES = {"prompter": "user", "assistant": "assistant"}
_USED = ("message_id", "parent_id", "role", "text", "rank", "deleted", "review_result")


@dataclass(frozen=True, slots=True)
class _Node:
    number: int
    id: str
    parent: str
    role: str
    text: str
    rank: float
    rest: dict[str, Any]


class Oasst:
    """Trees to conversations: one for each tree, along the best-ranked reply at each step, up to the last answer.

    One and not all paths, because the paths of a tree share their beginnings: the same question would be learned many
    times over, and would stand in training and test at once. Rank 0 is the best; without ranks the reply that comes first
    in the file is taken. Messages that were deleted or failed their review are left out with all that hangs from them.
    A conversation has the number of the row of its first message.
    """

    yields: Yields = "conversation"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        needed = ("message_id", "parent_id", "role", "text")
        return f"columns {', '.join(needed)}: trees of the OpenAssistant layout" if set(needed) <= set(columns) else None

    def convert(self, rows: Rows) -> Rows:
        replies: Held[_Node] = Held()
        seen: dict[str, int] = {}
        left_out: set[str] = set()
        for row in rows:
            if isinstance(row, RowFault):
                yield row
                continue
            try:
                node = _node(row, seen)
            except ValueError as error:
                yield RowFault(row.number, str(error), shown(row))
                continue
            if row.columns.get("deleted") is True or row.columns.get("review_result") is False:
                left_out.add(node.id)
            else:
                replies.add(node.parent, node, len(node.text))
        for root in replies.get(""):
            yield _conversation(root, replies)
        for parent, orphans in replies.groups():
            if parent and parent not in seen and parent not in left_out:
                yield from (RowFault(orphan.number, f"the message {parent!r} it answers is not in this file") for orphan in orphans)


def _node(row: RawRow, seen: dict[str, int]) -> _Node:
    cells = row.columns
    identity, parent, role, rank = text_in(cells, "message_id"), cells.get("parent_id"), cells.get("role"), cells.get("rank")
    if identity in seen:
        raise ValueError(f"message_id {identity!r} is already used in row {seen[identity]}")
    if not isinstance(role, str) or role not in _ROLES:
        raise ValueError(f"column 'role' holds {role!r}, known are {', '.join(_ROLES)}")
    if not isinstance(parent, str | None):
        raise ValueError(f"column 'parent_id' holds {type(parent).__name__}, an id or null is needed")
    if not parent and role != "prompter":
        raise ValueError("a tree must begin with a message of the prompter")
    text = text_in(cells, "text")
    seen[identity] = row.number
    known = isinstance(rank, int | float) and not isinstance(rank, bool)
    rest = {} if parent else {column: value for column, value in cells.items() if column not in _USED}
    return _Node(row.number, identity, parent or "", _ROLES[role], text, float(rank) if known and rank is not None else float("inf"), rest)


def _conversation(root: _Node, replies: Held[_Node]) -> RawRow | RowFault:
    path = [root]
    while following := replies.get(path[-1].id):
        best = min(following, key=lambda node: (node.rank, node.number))
        if best.role == path[-1].role:
            return RowFault(best.number, f"two messages of the {best.role} follow each other")
        path.append(best)
    while path[-1].role == "user":
        path.pop()
        if not path:
            return RowFault(root.number, "no reply of the assistant is left in this tree", beginning(root.text))
    messages = [{"role": node.role, "content": node.text} for node in path]
    return RawRow(root.number, {**root.rest, "id": root.id, "messages": messages})
