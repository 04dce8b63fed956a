"""Rule ``boilerplate``: lines that stand in many rows (page headers, footers, disclaimers) are counted, then removed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import median

from hatrack.data.clean.fences import fenced

__all__ = ["BoilerplateCounter", "remove_lines"]

_FEWEST_ROWS = 5
_SHARE = 0.2
_SHORTEST, _LONGEST = 15, 300  # shorter lines repeat by chance, longer ones are content
_LIMIT = 200_000  # different lines held: at most 60 MB of text


class BoilerplateCounter:
    """Counts in how many rows a line stands.

    Args:
        limit: how many different lines are held. Beyond it the rarer half is forgotten, as in lossy counting (Manku and
            Motwani 2002). Counts are then too low, never too high: no line is removed that is rarer than it should be.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self.rows = 0
        self._limit = limit
        self._counts: dict[str, int] = {}

    def add(self, texts: Iterable[str]) -> None:
        """Count the lines of one row, each once."""
        self.rows += 1
        for line in {line for text in texts for line in _prose(text)}:
            self._counts[line] = self._counts.get(line, 0) + 1
        if len(self._counts) > self._limit:
            rare = median(self._counts.values())
            self._counts = {line: count for line, count in self._counts.items() if count > rare}

    def lines(self) -> dict[str, int]:
        """The lines that are boilerplate and their number of rows, the most frequent first."""
        needed = max(_FEWEST_ROWS, math.ceil(_SHARE * self.rows))
        found = [(line, count) for line, count in self._counts.items() if count >= needed]
        return dict(sorted(found, key=lambda item: (-item[1], item[0])))


def remove_lines(text: str, known: Mapping[str, int]) -> str:
    """Text without the lines in ``known``; unchanged where nothing else would be left, and in fenced code."""
    if known.keys().isdisjoint(_prose(text)):
        return text
    lines = text.split("\n")
    kept = [line for line, code in zip(lines, fenced(lines), strict=True) if code or line.strip() not in known]
    return "\n".join(kept) if any(line.strip() for line in kept) else text


def _prose(text: str) -> list[str]:
    lines = text.split("\n")
    stripped = [line.strip() for line, code in zip(lines, fenced(lines), strict=True) if not code]
    return [line for line in stripped if _SHORTEST <= len(line) <= _LONGEST]
