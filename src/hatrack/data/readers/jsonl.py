"""JSON Lines: one JSON object a line, UTF-8."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from hatrack.data.readers.base import excerpt, lines
from hatrack.data.records import RawRow, RowFault

__all__ = ["Jsonl"]


class Jsonl:
    """Reads JSON Lines; blank lines are skipped and keep their number."""

    suffixes = (".jsonl", ".ndjson")

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        for number, line in lines(stream, max_row_bytes):
            if line is None:
                yield RowFault(number, f"longer than {max_row_bytes:,} bytes (checks.max_row_bytes)")
                continue
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip():
                continue
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                yield RowFault(number, f"not UTF-8: byte 0x{line[error.start]:02x} at position {error.start}; save the file as UTF-8")
                continue
            try:
                value = json.loads(text, object_pairs_hook=_no_duplicates)
            except (ValueError, RecursionError) as error:
                yield RowFault(number, f"not valid JSON: {error}", excerpt(text))
                continue
            if "\\ud" in text.lower() and _half_a_character(value):
                yield RowFault(number, "holds half of a surrogate pair (\\ud800 to \\udfff), which is no character", excerpt(text))
            elif isinstance(value, dict):
                yield RawRow(number, value)
            else:
                yield RowFault(number, f"a JSON object is needed, this is {type(value).__name__}", excerpt(text))


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
