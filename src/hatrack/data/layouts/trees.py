"""Trees of messages to conversations: one for each tree, along the best-ranked reply at each step, up to the last answer.

One and not all paths, because the paths of a tree share their beginnings: the same question would be learned many times
over, and would stand in training and test at once. Rank 0 is the best; without ranks the reply that comes first in the
file is taken. Messages that were deleted or failed their review are left out with all that hangs from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hatrack.data.cells import text_in
from hatrack.data.records import RawRow, RowFault, beginning

__all__ = ["Node", "best_path", "is_left_out", "node_of"]

_ROLES = {"prompter": "user", "assistant": "assistant"}
_USED = ("message_id", "parent_id", "role", "text", "rank", "deleted", "review_result", "replies")


@dataclass(frozen=True, slots=True)
class Node:
    """A message.

    Attributes:
        number: of the row it stands in.
        parent: the message it answers; empty for the first one of a tree.
        rest: the other columns of a first message.
    """

    number: int
    id: str
    parent: str
    role: str
    text: str
    rank: float
    rest: dict[str, Any]


def node_of(cells: Mapping[str, Any], number: int) -> Node:
    """The message in these cells.

    Raises:
        ValueError: no id, no text, an unknown role, a parent that is no id, or a tree that begins with the assistant.
    """
    identity, parent, role, rank = text_in(cells, "message_id"), cells.get("parent_id"), cells.get("role"), cells.get("rank")
    if not isinstance(role, str) or role not in _ROLES:
        raise ValueError(f"column 'role' holds {role!r}, known are {', '.join(_ROLES)}")
    if not isinstance(parent, str | None):
        raise ValueError(f"column 'parent_id' holds {type(parent).__name__}, an id or null is needed")
    if not parent and role != "prompter":
        raise ValueError("a tree must begin with a message of the prompter")
    text = text_in(cells, "text")
    known = isinstance(rank, int | float) and not isinstance(rank, bool)
    rest = {} if parent else {column: value for column, value in cells.items() if column not in _USED}
    return Node(number, identity, parent or "", _ROLES[role], text, float(rank) if known and rank is not None else float("inf"), rest)


def is_left_out(cells: Mapping[str, Any]) -> bool:
    """Whether a message was deleted or failed its review."""
    return cells.get("deleted") is True or cells.get("review_result") is False


def best_path(root: Node, replies: Callable[[str], Sequence[Node]]) -> RawRow | RowFault:
    """The conversation that begins with ``root``; ``replies`` gives the answers to a message by its id."""
    path = [root]
    while following := replies(path[-1].id):
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
