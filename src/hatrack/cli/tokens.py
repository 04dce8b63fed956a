"""Rows token by token: green is trained, grey is only read. What cannot be seen on paper is spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from hatrack.workflows.check import TokenRow

__all__ = ["token_lines"]


def token_lines(rows: Iterable[TokenRow]) -> Iterator[Text]:
    """Training rows as coloured tokens."""
    for row in rows:
        line = Text(f"\nrow {row.row}: {row.trained} of {len(row.tokens)} tokens are trained\n", style="bold")
        for piece, trained in row.tokens:
            line.append(piece.replace("\n", "\u23ce\n"), style="black on green" if trained else "dim")
            if trained:
                line.append("|", style="green")  # so that the marks survive a screen without colour
        yield line
