"""Reads the queries that Weaviate is asked: ``{ Get { Class(argument: value, ...) { _additional { id } } } }``."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["parse_query"]

_TOKEN = re.compile(
    r'\s*(?:("(?:[^"\\\n]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)'
    r"|([_A-Za-z]\w*)|([{}()\[\]:]))[\s,]*"
)


def parse_query(text: str) -> list[tuple[str, str, dict[str, Any], list[str]]]:
    """``(Get, Class, arguments, fields)`` of each selection; fields are the innermost ones.

    Raises:
        ValueError: it is not of this form.
    """
    return _Reader(text).query()


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, Any]] = []
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if found is None:
                raise ValueError(f"no GraphQL at {text[place : place + 40]!r}")
            string, number, name, sign = found.groups()
            if string is not None:
                self.tokens.append(("value", json.loads(string)))
            elif number is not None:
                self.tokens.append(("value", json.loads(number)))
            else:
                self.tokens.append(("name", name) if name else (sign, sign))
            place = found.end()

    def take(self, kind: str) -> Any:
        found, value = self.tokens.pop(0)
        if found != kind:
            raise ValueError(f"{kind} is wanted and {value!r} is there")
        return value

    def next(self, kind: str) -> bool:
        return bool(self.tokens) and self.tokens[0][0] == kind

    def query(self) -> list[tuple[str, str, dict[str, Any], list[str]]]:
        found = []
        self.take("{")
        while not self.next("}"):
            root = self.take("name")
            self.take("{")
            while not self.next("}"):
                name = self.take("name")
                arguments = self.arguments() if self.next("(") else {}
                found.append((root, name, arguments, self.fields()))
            self.take("}")
        self.take("}")
        if self.tokens:
            raise ValueError(f"something is left: {self.tokens[:3]}")
        return found

    def arguments(self) -> dict[str, Any]:
        self.take("(")
        found = {}
        while not self.next(")"):
            name = self.take("name")
            self.take(":")
            found[name] = self.value()
        self.take(")")
        return found

    def value(self) -> Any:
        if self.next("["):
            self.take("[")
            some = []
            while not self.next("]"):
                some.append(self.value())
            self.take("]")
            return some
        if self.next("{"):
            self.take("{")
            found = {}
            while not self.next("}"):
                name = self.take("name")
                self.take(":")
                found[name] = self.value()
            self.take("}")
            return found
        if self.next("name"):
            name = self.take("name")
            return {"true": True, "false": False, "null": None}.get(name, name)
        return self.take("value")

    def fields(self) -> list[str]:
        self.take("{")
        found: list[str] = []
        while not self.next("}"):
            name = self.take("name")
            found += self.fields() if self.next("{") else [name]
        self.take("}")
        return found
