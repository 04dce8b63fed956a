"""Rows token by token: green is trained, grey is only read. What cannot be seen on paper is spelled out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from hatrack.workflows.check import Finding

__all__ = ["token_lines"]


def token_lines(finding: Finding, tokenizer: Any, count: int) -> Iterator[Text]:
    """The first ``count`` training rows as coloured tokens."""
    for example, rendered in list(zip(finding.prepared.splits.train, finding.rendered, strict=True))[:count]:
        line = Text(f"\nrow {example.row}: {rendered.trained} of {len(rendered.ids)} tokens are trained\n", style="bold")
        for token, trained in zip(rendered.ids, rendered.mask, strict=True):
            piece = tokenizer.decode([token]).replace("\n", "\u23ce\n")
            line.append(piece, style="black on green" if trained else "dim")
            if trained:
                line.append("|", style="green")  # so that the marks survive a screen without colour
        yield line
