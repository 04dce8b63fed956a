"""Lists of phrases as one regular expression, so that a rule can be read as the words that it looks for."""

from __future__ import annotations

__all__ = ["phrases"]

_ANY = r"(?:\w+\s){0,%d}?"


def phrases(text: str) -> str:
    """One alternative for each line; a space stands for white space, ``<2>`` for at most two words of any kind.

    Everything else is a regular expression already.
    """
    lines = (line.strip() for line in text.strip().splitlines())
    return "(?:" + "|".join(_line(line) for line in lines if line) + ")"


def _line(line: str) -> str:
    for count in range(1, 5):
        line = line.replace(f"<{count}> ", _ANY % count)
    return line.replace(" ", r"\s")
