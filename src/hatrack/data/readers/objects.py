"""Bytes that should be one JSON object: a row, or the reason why not."""

from __future__ import annotations

import json
import re
from typing import Any

from hatrack.data.records import RawRow, RowFault, beginning

__all__ = ["json_object"]

_DEEPEST = 100  # what reads, prints or writes a row goes down into it by recursion
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def json_object(raw: bytes, number: int) -> RawRow | RowFault:
    """Row ``number`` of a file: UTF-8, valid JSON, no key twice, no half characters, an object."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return RowFault(number, f"not UTF-8: byte 0x{raw[error.start]:02x} at position {error.start}; save the file as UTF-8")
    if raw.count(b"[") + raw.count(b"{") > _DEEPEST and _depth(raw) > _DEEPEST:
        return RowFault(number, f"nests brackets more than {_DEEPEST} deep", beginning(text))
    try:
        value = json.loads(text, object_pairs_hook=_no_duplicates)
    except ValueError as error:
        return RowFault(number, f"not valid JSON: {error}", beginning(text))
    if "\\ud" in text.lower() and _half_a_character(value):
        return RowFault(number, "holds half of a surrogate pair (\\ud800 to \\udfff), which is no character", beginning(text))
    if not isinstance(value, dict):
        return RowFault(number, f"a JSON object is needed, this is {type(value).__name__}", beginning(text))
    return RawRow(number, value)


def _depth(raw: bytes) -> int:
    depth = deepest = 0
    for found in _TOKEN.finditer(raw):
        token = found[0]
        depth += 1 if token in (b"[", b"{") else -1 if token in (b"]", b"}") else 0
        deepest = max(deepest, depth)
    return deepest


def _half_a_character(value: Any) -> bool:
    """Whether JSON escapes left something that no tokenizer and no UTF-8 file can hold."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    columns = dict(pairs)
    if len(columns) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} occurs twice")
    return columns
