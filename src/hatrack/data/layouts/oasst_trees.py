"""The ``oasst-trees`` layout: a whole tree in a row, each message with its ``replies`` (OpenAssistant's ``.trees.jsonl.gz``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hatrack.data.layouts.base import Rows, Yields, each_row
from hatrack.data.layouts.trees import Node, best_path, is_left_out, node_of
from hatrack.data.records import RowFault

__all__ = ["OasstTrees"]

_USED = ("message_tree_id", "tree_state", "prompt")


class OasstTrees:
    """Trees to conversations, see ``trees``. Nothing is held: a tree is a row."""

    yields: Yields = "conversation"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        trees = [cells.get("prompt") for cells in first]
        if not any(isinstance(tree, Mapping) and "message_id" in tree and "replies" in tree for tree in trees):
            return None
        return "a column prompt with a message and its replies: whole trees of the OpenAssistant layout"

    def convert(self, rows: Rows) -> Rows:
        return each_row(rows, _conversation)


def _conversation(cells: dict[str, Any]) -> dict[str, Any]:
    tree = cells.get("prompt")
    if not isinstance(tree, Mapping):
        raise ValueError(f"column 'prompt' holds {type(tree).__name__}, a message with its replies is needed")
    replies: dict[str, list[Node]] = {}
    seen: set[str] = set()
    waiting: list[tuple[Mapping[str, Any], str]] = [(tree, "")]
    for number, (message, parent) in enumerate(waiting, 1):  # grows while it is walked over: breadth first, without recursion
        if is_left_out(message):
            continue
        try:
            node = node_of({**message, "parent_id": parent or None}, number)
        except ValueError as error:
            raise ValueError(f"message {number} of the tree: {error}") from error
        if node.id in seen:
            raise ValueError(f"message {number} of the tree: message_id {node.id!r} is used twice")
        seen.add(node.id)
        replies.setdefault(parent, []).append(node)
        below = message.get("replies")
        if not isinstance(below, list | None) or not all(isinstance(reply, Mapping) for reply in below or ()):
            raise ValueError(f"message {number} of the tree: 'replies' must hold a list of messages")
        waiting += [(reply, node.id) for reply in below or ()]
    if "" not in replies:
        raise ValueError("the first message of the tree was deleted or failed its review")
    made = best_path(replies[""][0], lambda identity: replies.get(identity, []))
    if isinstance(made, RowFault):
        raise ValueError(made.reason)
    return {**{column: value for column, value in cells.items() if column not in _USED}, **made.columns}
