"""What stands in one cell: the only code that turns it into a number, a level, a time or a text, in training and in use."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from typing import Any

__all__ = ["is_missing", "level_of", "number_of", "shown", "text_of", "time_of"]

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})  # "none" is a level in real data: no guarantor, no savings
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)


def is_missing(cell: Any) -> bool:
    """Whether nothing stands in a cell: null, NaN, or one of the usual texts for it."""
    if cell is None:
        return True
    if isinstance(cell, str):
        return cell.strip().lower() in _MISSING
    return isinstance(cell, float) and math.isnan(cell)


def number_of(cell: Any) -> float:
    """The number in a cell; NaN where nothing stands.

    Raises:
        ValueError: something else stands there.
    """
    if isinstance(cell, int | float):  # a bool counts as 0 or 1
        return float(cell)
    if is_missing(cell):
        return math.nan
    text = cell.strip() if isinstance(cell, str) else str(cell)  # a Decimal of a Parquet file
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("this is no number")
    return float(text)


def level_of(cell: Any) -> str | None:
    """The level of a category: 1, 1.0 and "1" are one; None where nothing stands."""
    if is_missing(cell):
        return None
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def time_of(cell: Any) -> datetime | None:
    """The point in time in a cell, without time zone (UTC where one was given); None where nothing stands.

    Raises:
        ValueError: it is not written as ISO 8601 has it, 2026-03-31 or 2026-03-31T14:00.
    """
    if is_missing(cell):
        return None
    if isinstance(cell, datetime):
        found = cell
    elif isinstance(cell, date):
        found = datetime(cell.year, cell.month, cell.day)
    elif isinstance(cell, str) and "-" in cell:
        try:
            found = datetime.fromisoformat(cell.strip())
        except ValueError as error:
            raise ValueError("this is no date as ISO 8601 has it (2026-03-31)") from error
    else:
        raise ValueError("this is no date as ISO 8601 has it (2026-03-31)")
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def text_of(cell: Any) -> str:
    """The text in a cell; empty where nothing stands."""
    return "" if is_missing(cell) else str(cell)


def shown(cell: Any) -> str:
    """A cell as messages and reasons show it."""
    if is_missing(cell):
        return "missing"
    text = f"{cell:g}" if isinstance(cell, float) and abs(cell) < 1e6 else str(cell)
    return text if len(text) <= 60 else text[:57] + "..."
