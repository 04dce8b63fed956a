"""JSON that is right in substance and wrong in form: fences, words around it, commas at the end, single quotes. Nothing is invented."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

__all__ = ["repaired_json", "satisfies"]

_TRAILING = re.compile(r",(\s*[}\]])")
_LONGEST = 100_000  # characters; a longer answer is not searched


def satisfies(text: str, schema: dict[str, Any]) -> bool:
    """Whether the text is JSON and valid against the schema."""
    import jsonschema_rs

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return bool(jsonschema_rs.is_valid(schema, value))


def repaired_json(text: str, schema: dict[str, Any]) -> str | None:
    """The JSON inside the text, where it can be had without guessing and is valid against the schema; else None."""
    for candidate in _candidates(text[:_LONGEST]):
        for value in _readings(candidate):
            made = json.dumps(value, ensure_ascii=False)
            if satisfies(made, schema):
                return made
    return None


def _candidates(text: str) -> list[str]:
    """The text between its first opening and its last closing bracket, of either kind."""
    found = []
    for opening, closing in ("{}", "[]"):
        first, last = text.find(opening), text.rfind(closing)
        if 0 <= first < last:
            found.append(text[first : last + 1])
    return sorted(found, key=text.find)


def _readings(candidate: str) -> list[Any]:
    readings: list[Any] = []
    bare = _TRAILING.sub(r"\1", candidate)
    for read in (json.loads, ast.literal_eval):  # the second reads single quotes; it builds literals and runs nothing
        try:
            value = read(bare)
            json.dumps(value)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        readings.append(value)
    return readings
