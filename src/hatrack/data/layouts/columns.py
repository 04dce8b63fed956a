"""The ``columns`` layout: nothing is changed; the config's ``columns:`` say what plays which part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.layouts.base import Rows, Yields

__all__ = ["AsNamed"]


class AsNamed:
    """Takes every file: the layout where no other fits."""

    yields: Yields = "columns"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        names = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
        return f"columns {names}: no layout of another name, `columns:` says what they mean" if columns else None

    def convert(self, rows: Rows) -> Rows:
        return rows
