"""A filter as Weaviate understands it, and the names that metadata have there.

Weaviate gives each property one type, lowers its first letter and knows few characters in its name. So a field is one property
for each kind of value it has, ``f_country_s`` for text, and an object lists in ``kinds`` which of them it has: "is not there" is
then a comparison like any other, also for objects that are older than the property.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hatrack.core.digest import sha256_text
from hatrack.rag.filters import AllOf, AnyOf, Filter, NoneOf, OneOf, Range

__all__ = ["KINDS", "Word", "asked", "graphql", "properties", "stored", "where_of"]

KINDS = "kinds"
_TYPES = {"s": "text", "n": "number", "b": "boolean"}
_VALUES = {"s": "valueText", "n": "valueNumber", "b": "valueBoolean"}
_SIGNS = {"gt": "GreaterThan", "gte": "GreaterThanEqual", "lt": "LessThan", "lte": "LessThanEqual"}
_OPPOSITE = {"gt": "LessThanEqual", "gte": "LessThan", "lt": "GreaterThanEqual", "lte": "GreaterThan"}
_LONGEST = 200  # characters of a property's name
_NEVER = {"path": [KINDS], "operator": "Equal", "valueText": "none"}  # no property is called so


class Word(str):
    """A name of GraphQL's own: it stands without quotes."""

    __slots__ = ()


def stored(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as properties of an object."""
    named = {_property(name, _kind(value)): _value(value) for name, value in payload.items()}
    return {**named, KINDS: sorted(named)}


def properties(payloads: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Every property that these metadata need, and its type."""
    return {_property(name, _kind(value)): _TYPES[_kind(value)] for one in payloads for name, value in one.items()}


def asked(where: Filter) -> set[str]:
    """Every property that a filter compares."""
    match where:
        case OneOf(field, values):
            return {_property(field, _kind(value)) for value in values}
        case Range(field):
            return {_property(field, "n")}
        case AllOf(parts) | AnyOf(parts):
            return set().union(*(asked(part) for part in parts))
        case NoneOf(part):
            return asked(part)


def where_of(where: Filter, known: Collection[str]) -> dict[str, Any]:
    """The condition, as ``where`` takes it.

    Args:
        known: properties of the collection; Weaviate refuses to compare others.
    """
    match where:
        case OneOf(field, values):
            return _any([_compared(field, "Equal", value, known) for value in values])
        case Range(field):
            return _all([_compared(field, sign, limit, known) for sign, limit in _bounds(where, _SIGNS)])
        case AllOf(parts):
            return _all([where_of(part, known) for part in parts])
        case AnyOf(parts):
            return _any([where_of(part, known) for part in parts])
        case NoneOf(part):
            return _opposite(part, known)


def graphql(value: Any) -> str:
    """A value as GraphQL writes it: as JSON, but names without quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {graphql(Word(one) if name == 'operator' else one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(graphql(one) for one in value) + "]"
    return str(value) if isinstance(value, Word) else json.dumps(value, ensure_ascii=False)


def _opposite(where: Filter, known: Collection[str]) -> dict[str, Any]:
    """What does not hold, carried down to the single comparisons: older servers have no "not"."""
    match where:
        case OneOf(field, values):
            return _all([_any([_absent(field, _kind(one)), _compared(field, "NotEqual", one, known)]) for one in values])
        case Range(field):
            bounds = [_compared(field, sign, limit, known) for sign, limit in _bounds(where, _OPPOSITE)]
            return _any([_absent(field, "n"), *bounds])
        case AllOf(parts):
            return _any([_opposite(part, known) for part in parts])
        case AnyOf(parts):
            return _all([_opposite(part, known) for part in parts])
        case NoneOf(part):
            return where_of(part, known)


def _compared(field: str, operator: str, value: Any, known: Collection[str]) -> dict[str, Any]:
    kind = _kind(value)
    name = _property(field, kind)
    return {"path": [name], "operator": operator, _VALUES[kind]: _value(value)} if name in known else _NEVER


def _absent(field: str, kind: str) -> dict[str, Any]:
    return {"path": [KINDS], "operator": "NotEqual", "valueText": _property(field, kind)}


def _bounds(where: Range, signs: Mapping[str, str]) -> list[tuple[str, float]]:
    return [(sign, limit) for name, sign in signs.items() if (limit := getattr(where, name)) is not None]


def _any(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return conditions[0] if len(conditions) == 1 else {"operator": "Or", "operands": conditions}


def _all(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return conditions[0] if len(conditions) == 1 else {"operator": "And", "operands": conditions}


def _kind(value: Any) -> str:
    return "b" if isinstance(value, bool) else "s" if isinstance(value, str) else "n"


def _value(value: Any) -> Any:
    """Text in quotes: Weaviate would cut blanks off its ends."""
    if isinstance(value, bool):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else float(value)


def _property(field: str, kind: str) -> str:
    """No two fields share a name: an underline only stands around what is not a letter or a digit."""
    name = "".join(one if one.isascii() and one.isalnum() else f"_{ord(one):x}_" for one in field)
    return f"f_{name if len(name) <= _LONGEST else '__' + sha256_text(field)}_{kind}"
