"""The ``document`` layout: title, text and sections, as the readers of documents give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hatrack.data.cells import text_in
from hatrack.data.layouts.base import Rows, Yields, each_row

__all__ = ["Document"]


class Document:
    """A document in a row, from whatever file: a PDF, or JSON lines that somebody made of one."""

    yields: Yields = "document"

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        return "columns title, text, sections: documents" if {"title", "text", "sections"} <= set(columns) else None

    def convert(self, rows: Rows) -> Rows:
        return each_row(rows, _checked)


def _checked(cells: dict[str, Any]) -> dict[str, Any]:
    text_in(cells, "title")
    text_in(cells, "text")
    sections = cells.get("sections")
    if not isinstance(sections, list) or not sections:
        raise ValueError("column 'sections' must hold a list of sections")
    for i, section in enumerate(sections, 1):
        known = isinstance(section, dict) and isinstance(section.get("heading"), str) and isinstance(section.get("text"), str)
        if not known or not isinstance(section.get("level"), int):
            raise ValueError(f"section {i} must hold a heading, a level and a text")
    return {"source": "", **cells}
