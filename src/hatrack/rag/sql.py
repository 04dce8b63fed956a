"""A filter as SQLite understands it, on a column of JSON."""

from __future__ import annotations

from typing import Any

from hatrack.rag.filters import AllOf, AnyOf, Filter, NoneOf, OneOf, Range

__all__ = ["sqlite_condition"]

_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def sqlite_condition(where: Filter | None, column: str) -> tuple[str, list[Any]]:
    """A condition that is true or false, never NULL, and its parameters. ``column`` is the caller's own word."""
    match where:
        case None:
            return "1", []
        case OneOf(field, values):
            path = f'$."{field}"'
            texts = [value for value in values if isinstance(value, str)]
            truths = [value for value in values if isinstance(value, bool)]
            numbers = [value for value in values if not isinstance(value, str | bool)]
            conditions, parameters = [], []
            for kinds, some in (("'text'", texts), ("'integer', 'real'", numbers)):
                if some:
                    marks = ", ".join("?" * len(some))
                    conditions.append(f"(json_type({column}, ?) IN ({kinds}) AND json_extract({column}, ?) IN ({marks}))")
                    parameters += [path, path, *some]
            if truths:
                conditions.append(f"json_type({column}, ?) IN ({', '.join('?' * len(truths))})")
                parameters += [path, *("true" if value else "false" for value in truths)]
            return f"coalesce({' OR '.join(conditions)}, 0)", parameters
        case Range(field):
            path = f'$."{field}"'
            bounds = [(sign, getattr(where, name)) for name, sign in _SIGNS.items() if getattr(where, name) is not None]
            compared = "".join(f" AND json_extract({column}, ?) {sign} ?" for sign, _ in bounds)
            pairs = [value for _, limit in bounds for value in (path, limit)]
            return f"coalesce(json_type({column}, ?) IN ('integer', 'real'){compared}, 0)", [path, *pairs]
        case NoneOf(part):
            condition, parameters = sqlite_condition(part, column)
            return f"NOT {condition}", parameters
        case AllOf(parts) | AnyOf(parts):
            made = [sqlite_condition(part, column) for part in parts]
            word = " AND " if isinstance(where, AllOf) else " OR "
            return f"({word.join(condition for condition, _ in made)})", [value for _, some in made for value in some]
