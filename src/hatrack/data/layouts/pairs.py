"""An instruction and its answer, in whatever columns they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hatrack.data.cells import text_in

__all__ = ["as_conversation", "holds_text"]


def as_conversation(cells: Mapping[str, Any], prompt: str, more: str, answer: str) -> dict[str, Any]:
    """``messages`` from a column with the prompt, perhaps one with more of it, and one with the answer.

    What stands in ``more`` follows the prompt behind an empty line. The three columns are used up.

    Raises:
        ValueError: the prompt or the answer is no text or is empty.
    """
    asked = text_in(cells, prompt)
    if cells.get(more) not in (None, ""):
        asked = f"{asked}\n\n{text_in(cells, more)}"
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": text_in(cells, answer)}]
    rest = {column: value for column, value in cells.items() if column not in (prompt, more, answer)}
    return {"messages": messages, **rest}


def holds_text(first: Sequence[Mapping[str, Any]], *columns: str) -> bool:
    """Whether these columns hold text or nothing in all of the first rows."""
    return all(isinstance(cells.get(column), str | None) for cells in first for column in columns)
