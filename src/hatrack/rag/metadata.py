"""Metadata of documents: plain values under plain names, and dates that can be compared everywhere.

``valid_from`` and ``valid_to`` are written as 2024-01-31 and kept as the number 20240131. Every document has both: where
nothing is said, it was always valid and always will be. So "valid on this day" is two comparisons of numbers, which
every store can do.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["DATES", "FOREVER", "FROM", "TO", "clean_metadata", "date_number", "shown_metadata"]

FROM, TO = "valid_from", "valid_to"
DATES = (FROM, TO)
ALWAYS, FOREVER = 0, 9999_12_31
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def date_number(value: Any) -> int:
    """``2024-01-31`` as 20240131.

    Raises:
        ValueError: it is no date.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value not in (ALWAYS, FOREVER):
            datetime.date(value // 10_000, value // 100 % 100, value % 100)
        return value
    day = datetime.date.fromisoformat(str(value)[:10])
    return day.year * 10_000 + day.month * 100 + day.day


def clean_metadata(given: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as they are kept: names in lower case, plain values, both dates. None, lists and objects are left out.

    Raises:
        ValueError: a name that cannot be filtered by, a date that is none, a number that is none; says which.
    """
    kept: dict[str, Any] = {FROM: ALWAYS, TO: FOREVER}
    for name, value in given.items():
        name = name.strip().lower().replace("-", "_").replace(" ", "_")
        if isinstance(value, datetime.date):
            value = value.isoformat()
        if value is None or isinstance(value, list | dict):
            continue
        if not _NAME.fullmatch(name):
            raise ValueError(f"metadata {name[:40]!r}: a name has letters a to z, digits and underscores")
        if name in DATES:
            try:
                value = date_number(value)
            except ValueError:
                raise ValueError(f"{name} is no date: {str(value)[:40]!r} (a date is written 2024-01-31)") from None
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"metadata {name}: not a finite number")
        elif not isinstance(value, str | int | float | bool):
            continue
        kept[name] = value
    if kept[FROM] > kept[TO]:
        raise ValueError(f"valid_from {kept[FROM]} lies after valid_to {kept[TO]}")
    return kept


def shown_metadata(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as people read them: dates written out, open ends left out."""
    shown = {}
    for name, value in kept.items():
        if name in DATES:
            if value not in (ALWAYS, FOREVER):
                shown[name] = f"{value // 10_000:04}-{value // 100 % 100:02}-{value % 100:02}"
        else:
            shown[name] = value
    return shown
