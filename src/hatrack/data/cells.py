"""What stands in a cell, checked: the one place that says why a text is no text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatrack.data.records import RawRow, beginning

__all__ = ["shown", "text_in"]


def text_in(cells: Mapping[str, Any], column: str) -> str:
    """The text of one column.

    Raises:
        ValueError: no such column, no text, or nothing but white space.
    """
    value = cells.get(column)
    if not isinstance(value, str):
        raise ValueError(
            f"column {column!r} holds {type(value).__name__}, text is needed" if value is not None else f"no column {column!r}"
        )
    if not value.strip():
        raise ValueError(f"column {column!r} is empty")
    return value


def shown(row: RawRow) -> str:
    """The beginning of a row, for a fault."""
    return beginning(" ".join(beginning(f"{key}={value!r}") for key, value in row.columns.items()))
