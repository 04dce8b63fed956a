"""Tables of Markdown for the pages that are made from code: a cell is one line, and code in backticks is its only markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["anchor", "code", "plain", "table"]

_MARKUP = {"*": "\\*", "[": "\\[", "<": "&lt;"}  # what Python-Markdown and GitHub both take for more than a letter


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The whole table; cells are Markdown already."""
    return "\n".join([_row(head), "|---" * len(head) + "|", *(_row(cells) for cells in rows)]) + "\n"


def plain(text: str) -> str:
    """Text that means itself, on one line; code in one or two backticks stays code."""
    parts = " ".join(text.replace("``", "`").split()).split("`")
    return "`".join(part if number % 2 else re.sub(r"[*<\[]", lambda found: _MARKUP[found[0]], part) for number, part in enumerate(parts))


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


def anchor(heading: str) -> str:
    """Where a link to a heading of the same page leads, on GitHub and in MkDocs."""
    return "#" + re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
