"""Answers in JSON: what ``response_format`` and ``text.format`` ask for, bounded before any compiler sees it."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hatrack.api.errors import Refusal

__all__ = ["JsonSchema", "ResponseFormat", "TextFormat", "bounded_schema"]

_DEEPEST = 64
_LONGEST = 100_000


class JsonSchema(BaseModel):
    """A schema with its name."""

    model_config = ConfigDict(strict=True, populate_by_name=True)

    name: str | None = Field(None, description="What the schema is called; not used.")
    description: str | None = Field(None, description="What it is for; not used.")
    schema_: dict[str, Any] = Field({}, alias="schema", description="The JSON schema.")
    strict: bool | None = Field(None, description="The answer always follows the schema, whatever this says.")


class ResponseFormat(BaseModel):
    """``response_format`` of a chat completion."""

    model_config = ConfigDict(strict=True)

    type: Literal["text", "json_object", "json_schema"] = Field(description="Any text, any JSON object, or what a schema allows.")
    json_schema: JsonSchema | None = Field(None, description="For type json_schema.")

    def schema_for_engine(self) -> dict[str, Any] | Literal["any-json"] | None:
        """None: no constraint.

        Raises:
            Refusal: the schema is missing, too deep or too long.
        """
        if self.type == "json_schema":
            return bounded_schema(self.json_schema.schema_ if self.json_schema else None, "response_format.json_schema")
        return "any-json" if self.type == "json_object" else None


class TextFormat(JsonSchema):
    """``text.format`` of a response: the same, one level flatter."""

    type: Literal["text", "json_object", "json_schema"] = Field("text", description="Any text, any JSON object, or what a schema allows.")

    def schema_for_engine(self) -> dict[str, Any] | Literal["any-json"] | None:
        """None: no constraint.

        Raises:
            Refusal: the schema is missing, too deep or too long.
        """
        if self.type == "json_schema":
            return bounded_schema(self.schema_ or None, "text.format.schema")
        return "any-json" if self.type == "json_object" else None


def bounded_schema(schema: dict[str, Any] | None, param: str) -> dict[str, Any]:
    """The schema, if it may be compiled.

    Raises:
        Refusal: it is missing, too deep or too long.
    """
    depth = _depth(schema) if schema is not None else 0
    if schema is None or depth > _DEEPEST or len(json.dumps(schema)) > _LONGEST:
        raise Refusal(
            400,
            "this schema cannot be used",
            code="invalid_request",
            param=param,
            given="no schema" if schema is None else f"{depth} levels",
            allowed=f"a JSON schema of at most {_DEEPEST} levels and {_LONGEST:,} characters",
            fix="send a smaller schema",
        )
    return schema


def _depth(value: Any) -> int:
    """Levels of brackets, counted without recursion."""
    depth, level = 0, [value]
    while level:
        level = [
            inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
        ]
        depth += 1
        if depth > _DEEPEST:
            break
    return depth
