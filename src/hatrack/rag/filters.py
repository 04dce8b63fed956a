"""The one filter language: JSON in, a small tree out, which every store translates into its own.

    {"country": "FR"}                          equal
    {"country": ["FR", "BE"]}                  one of
    {"year": {"gte": 2020, "lt": 2024}}        numbers, and the dates valid_from and valid_to
    {"not": {...}}  {"any": [{...}, {...}]}    and keys of one object must all hold

A document without the field does not match; so ``not`` matches it. Text, numbers and true/false are never equal to each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hatrack.core.errors import KnowledgeError
from hatrack.core.names import closest
from hatrack.rag.metadata import DATES, FROM, TO, date_number

__all__ = ["AllOf", "AnyOf", "Filter", "NoneOf", "OneOf", "Range", "accepts", "both", "check_fields", "fields", "parse_filter", "valid_on"]

_BOUNDS = ("gt", "gte", "lt", "lte")
_ALLOWED = '{"field": value}, {"field": [values]}, {"field": {"gte": 1, "lt": 9}}, {"not": {...}}, {"any": [{...}, ...]}'
_DEEPEST = 16

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field equals one of the values."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The field is a number within these bounds; None is no bound."""

    field: str
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; nothing to hold is true."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the parts holds; never empty."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """The part does not hold."""

    part: Filter


Filter = OneOf | Range | AllOf | AnyOf | NoneOf


def parse_filter(given: Mapping[str, Any]) -> Filter | None:
    """The tree of a filter; None for the empty one.

    Raises:
        KnowledgeError: it is not of this language.
    """
    return _object(given, 0) if given else None


def valid_on(day: str | int) -> Filter:
    """Documents that are valid on a day.

    Raises:
        KnowledgeError: this is no date.
    """
    try:
        number = date_number(day)
    except ValueError as error:
        raise KnowledgeError("this is no date", given=str(day), allowed="a date as 2024-01-31") from error
    return AllOf((Range(FROM, lte=number), Range(TO, gte=number)))


def both(first: Filter | None, second: Filter | None) -> Filter | None:
    """Where both hold; None is no condition."""
    if first is None or second is None:
        return first or second
    return AllOf((first, second))


def fields(where: Filter) -> set[str]:
    """Every field that is asked about."""
    if isinstance(where, OneOf | Range):
        return {where.field}
    if isinstance(where, NoneOf):
        return fields(where.part)
    return set().union(*(fields(part) for part in where.parts))


def check_fields(where: Filter | None, known: Collection[str]) -> None:
    """Refuse a filter on a field that no document has: it would find nothing, and nobody would know why.

    Raises:
        KnowledgeError: with the nearest field.
    """
    unknown = sorted(fields(where) - set(known) - set(DATES)) if where else []
    if unknown:
        near = closest(unknown[0], known, 1)
        raise KnowledgeError(
            f"no document has the field {unknown[0]!r}",
            given=", ".join(unknown),
            allowed=", ".join(sorted({*known, *DATES})),
            fix=f"did you mean {near[0]}?" if near else "correct the filter, or give documents this field with `metadata`",
        )


def accepts(where: Filter | None, metadata: Mapping[str, Any]) -> bool:
    """Whether metadata match: what each store's translation must agree with."""
    match where:
        case None:
            return True
        case OneOf(field, values):
            found = metadata.get(field)
            return any(_kind(found) == _kind(value) and found == value for value in values)
        case Range(field, gt, gte, lt, lte):
            found = metadata.get(field)
            if _kind(found) != "number":
                return False
            return not (
                (gt is not None and not found > gt)  # type: ignore[operator]  # a number, as its kind says
                or (gte is not None and not found >= gte)  # type: ignore[operator]
                or (lt is not None and not found < lt)  # type: ignore[operator]
                or (lte is not None and not found <= lte)  # type: ignore[operator]
            )
        case AllOf(parts):
            return all(accepts(part, metadata) for part in parts)
        case AnyOf(parts):
            return any(accepts(part, metadata) for part in parts)
        case NoneOf(part):
            return not accepts(part, metadata)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else ""


def _object(given: Any, depth: int) -> Filter:
    if not isinstance(given, Mapping) or not given or depth > _DEEPEST:
        raise _fault(given)
    parts: list[Filter] = []
    for key, value in given.items():
        if key == "not":
            parts.append(NoneOf(_object(value, depth + 1)))
        elif key in ("any", "all"):
            if not isinstance(value, list | tuple) or not value:
                raise _fault({key: value})
            inner = tuple(_object(one, depth + 1) for one in value)
            parts.append(AnyOf(inner) if key == "any" else AllOf(inner))
        else:
            parts.append(_condition(str(key), value))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _condition(field: str, value: Any) -> Filter:
    if '"' in field or "\\" in field:
        raise _fault({field: value})
    if isinstance(value, Mapping):
        if not value or set(value) - set(_BOUNDS):
            raise _fault({field: value})
        return Range(field, **{bound: _number(field, limit) for bound, limit in value.items()})
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not values or not all(_kind(one) for one in values):
        raise _fault({field: value})
    return OneOf(field, tuple(_number(field, one) for one in values) if field in DATES else values)


def _number(field: str, value: Any) -> Any:
    if field in DATES:
        try:
            return date_number(value)
        except ValueError:
            raise _fault({field: value}) from None
    if _kind(value) != "number" or value != value:
        raise _fault({field: value})
    return value


def _fault(given: Any) -> KnowledgeError:
    return KnowledgeError("this is no filter", given=str(given)[:200], allowed=_ALLOWED, fix="see docs/knowledge.md")
