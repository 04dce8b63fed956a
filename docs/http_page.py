"""docs/http.md from the OpenAPI document of the server, which is made of its routes alone: no model is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from page_table import anchor, code, plain, table

from hatrack.api.app import create_routes

__all__ = ["http_page"]

HEAD = """# HTTP reference

Every route of `hatrack serve` and every field that a request may have, as `GET /openapi.json` tells them. How options differ from
OpenAI's, what answers look like, headers, and the code of each error: [HTTP API](api.md). Keys and their scopes: [serving](serve.md).

In a path, `{model}`, `{reference}` and `{name}` stand for the name of an adapter or a table. Except for `rollback`, `NAME@VERSION`
and `NAME@ALIAS` are taken there too. For a field whose default is `null`, `null` is the same as leaving it out.

## Routes
"""
_IDLE = "Options that change nothing"
_64_BITS = -(2**63)

Schema = dict[str, Any]


def http_page() -> str:
    """The whole page."""
    document = create_routes().openapi()
    schemas: dict[str, Schema] = document["components"]["schemas"]
    routes = [(f"{method.upper()} {path}", one) for path, methods in document["paths"].items() for method, one in methods.items()]
    bodies = {route: schemas[name] for route, one in routes if (name := next(_references(one.get("requestBody", {})), None))}
    parts = [HEAD, _route_table(routes, bodies)]
    for route, one in routes:
        if body := bodies.get(route):
            idle = f"Options that [change nothing]({anchor(_IDLE)}) are taken too." if _idle(body) else ""
            may = "" if one["requestBody"].get("required") else "The body may be left out."
            parts.append(_section(f"## {route}", f"{one['summary']}. {one['description']}", body, (may, idle)))
    parts.append("## Shapes\n\nWhat stands in the fields above.\n")
    for name in _shapes(schemas, bodies):
        parts.append(_section(f"### {name}", schemas[name].get("description", ""), schemas[name], (_unused(schemas[name]),)))
    return "\n".join([*parts, _idle_table(bodies), _refusals(routes)])


def _route_table(routes: list[tuple[str, Schema]], bodies: dict[str, Schema]) -> str:
    rows = []
    for route, one in routes:
        right, wrong = ([code(status) for status in one["responses"] if (status >= "400") is refused] for refused in (False, True))
        name = f"[`{route}`]({anchor(route)})" if route in bodies else code(route)
        rows.append((name, plain(f"{one['summary']}. {one['description']}"), ", ".join(right), ", ".join(wrong)))
    return table(("route", "what it does", "answers", "may refuse with"), rows)


def _section(heading: str, about: str, schema: Schema, more: tuple[str, ...]) -> str:
    required, idle = schema.get("required", ()), _idle(schema)
    rows = [
        (code(name), _kind(one), "required" if name in required else _default(one), plain(one.get("description", "")))
        for name, one in schema["properties"].items()
        if name not in idle
    ]
    said = " ".join(sentence for sentence in (*more, _others(schema)) if sentence)
    fields = table(("field", "type", "default", "what it is"), rows)
    return "\n\n".join(part for part in (heading, plain(about), fields.strip(), said) if part) + "\n"


def _kind(schema: Schema) -> str:
    """The type of a value, in words of JSON."""
    if "$ref" in schema:
        (name,) = _references(schema)
        return f"[{name}]({anchor(name)})"
    if "const" in schema:
        return _json(schema["const"])
    if "enum" in schema:
        return " or ".join(map(_json, schema["enum"]))
    if "anyOf" in schema:
        return ", or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    bounds = _bounds(schema)
    if schema.get("type") == "array":
        return f"list{bounds} of {_kind(schema.get('items', {}))}"
    return f"{schema.get('type', 'anything')}{bounds}"


def _bounds(schema: Schema) -> str:
    unit = " characters" if "minLength" in schema or "maxLength" in schema else ""
    low, high = (
        next((schema[name] for end in ("imum", "Items", "Length") if (name := side + end) in schema), None) for side in ("min", "max")
    )
    if low is None and high is None:
        return ""
    if low == _64_BITS:
        return " (64 bits)"
    if low is None:
        return f" (up to {_number(high)}{unit})"
    if high is None:
        return f" ({_number(low)} or more{unit})" if "minimum" in schema else " (not empty)"
    return f" ({_number(low)} to {_number(high)}{unit})"


def _number(value: Any) -> str:
    """FastAPI's document writes bounds of whole numbers as fractions."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def _default(schema: Schema) -> str:
    """FastAPI's document leaves out a default of null."""
    if "default" in schema:
        return _json(schema["default"])
    return _json(None) if any(one.get("type") == "null" for one in schema.get("anyOf", ())) else ""


def _json(value: Any) -> str:
    return code(json.dumps(value, ensure_ascii=False))


def _references(value: Any) -> Iterator[str]:
    """Names of the schemas that a part of the document names, in order."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from _references(one)


def _shapes(schemas: dict[str, Schema], bodies: dict[str, Schema]) -> list[str]:
    """Names of the schemas that bodies are made of, in the order in which a reader meets them."""
    found: dict[str, None] = {}
    left = list(_references(list(bodies.values())))
    while left:
        name = left.pop(0)
        if name not in found:
            found[name] = None
            left += _references(schemas[name])
    return list(found)


def _idle(schema: Schema) -> dict[str, list[Any] | None]:
    """Options that are taken and change nothing: to the only values that are, None where it is any."""
    return {name: one.get("enum") for name, one in schema["properties"].items() if one.keys() <= {"description", "enum"}}


def _unused(schema: Schema) -> str:
    names = ", ".join(map(code, _idle(schema)))
    return f"Taken and not used: {names}." if names else ""


def _others(schema: Schema) -> str:
    rest = schema.get("additionalProperties")
    if rest is False:
        return "Any other field is refused."
    if isinstance(rest, dict) and "enum" in rest:
        return f"Any other field is refused, unless it is {', '.join(map(_json, rest['enum']))}."
    return ""


def _idle_table(bodies: dict[str, Schema]) -> str:
    having = {route: _idle(body) for route, body in bodies.items() if _idle(body)}
    rows = []
    for name in sorted({name for idle in having.values() for name in idle}):
        values = next(idle[name] for idle in having.values() if name in idle)
        where = [code(route.split()[1]) for route, idle in having.items() if name in idle]
        shown = "anything" if values is None else " or ".join(map(_json, values))
        rows.append((code(name), shown, "all" if len(where) == len(having) else ", ".join(where)))
    about = "OpenAI's clients send them. What would change the answer is refused by name."
    return "\n".join([f"## {_IDLE}", "", about, "", table(("option", "taken while it is", "where"), rows)])


def _refusals(routes: list[tuple[str, Schema]]) -> str:
    told = {
        status: plain(response["description"])
        for _, one in routes
        for status, response in one["responses"].items()
        if "Refused" in _references(response)
    }
    about = "What a refusal looks like, and its `code`: [errors](api.md#errors)."
    return "\n".join(["## Refusals", "", about, "", table(("status", "when"), [(code(status), told[status]) for status in sorted(told)])])
