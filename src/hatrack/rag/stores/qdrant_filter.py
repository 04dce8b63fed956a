"""A filter as Qdrant understands it; the server's client and the embedded engine have the same words under two roofs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hatrack.rag.filters import AllOf, AnyOf, Filter, NoneOf, OneOf

__all__ = ["qdrant_filter"]


def qdrant_filter(where: Filter | None, words: Any, between: Any, truth: Callable[[bool], Any] = bool) -> Any:
    """The filter; None for none.

    Args:
        words: the module with ``Filter``, ``FieldCondition``, ``MatchValue``.
        between: its class of numeric bounds.
        truth: how true and false are stored.
    """
    if where is None:
        return None
    found = _condition(where, words, between, truth)
    return found if isinstance(found, words.Filter) else words.Filter(must=[found])


def _condition(where: Filter, words: Any, between: Any, truth: Callable[[bool], Any]) -> Any:
    match where:
        case OneOf(field, values):
            conditions = [_equal(field, value, words, between, truth) for value in values]
            return conditions[0] if len(conditions) == 1 else words.Filter(should=conditions)
        case AllOf(parts):
            return words.Filter(must=[_condition(part, words, between, truth) for part in parts])
        case AnyOf(parts):
            return words.Filter(should=[_condition(part, words, between, truth) for part in parts])
        case NoneOf(part):
            return words.Filter(must_not=[_condition(part, words, between, truth)])
        case _:
            bounds = {name: limit for name in ("gt", "gte", "lt", "lte") if (limit := getattr(where, name)) is not None}
            return words.FieldCondition(key=where.field, range=between(**bounds))


def _equal(field: str, value: Any, words: Any, between: Any, truth: Callable[[bool], Any]) -> Any:
    """Numbers by a range: a match knows whole ones only, and 2 is 2.0."""
    if isinstance(value, str | bool):
        return words.FieldCondition(key=field, match=words.MatchValue(value=truth(value) if isinstance(value, bool) else value))
    return words.FieldCondition(key=field, range=between(gte=value, lte=value))
