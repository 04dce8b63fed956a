"""Which lines of a text are code: fenced blocks, with their fences, as CommonMark has them."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["fenced"]

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")


def fenced(lines: Sequence[str]) -> list[bool]:
    """For each line whether it belongs to a fenced code block. A fence that is never closed reaches to the end."""
    inside: list[bool] = []
    opened = ""
    for line in lines:
        match = _FENCE.match(line)
        closes = bool(opened and match and match[1].startswith(opened) and not match[2].strip())
        inside.append(bool(opened or match))
        if closes:
            opened = ""
        elif match and not opened:
            opened = match[1]
    return inside
