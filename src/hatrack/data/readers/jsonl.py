"""JSON Lines: one JSON object a line, UTF-8."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hatrack.data.readers.base import lines, too_long
from hatrack.data.readers.objects import json_object
from hatrack.data.records import RawRow, RowFault

__all__ = ["Jsonl"]

# two objects one below the other without a comma between them: what an array never has
_NEXT = re.compile(rb"\}[ \t\r]*\n\s*\{")


class Jsonl:
    """Reads JSON Lines; blank lines are skipped and keep their number."""

    suffixes = (".jsonl", ".ndjson", ".json")
    document = False
    magic = b""

    def sniff(self, head: bytes) -> str:
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        return "has an object on each line" if start.startswith(b"{") and _NEXT.search(start) else ""

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        for number, line in lines(stream, max_row_bytes):
            if line is None:
                yield too_long(number, max_row_bytes)
                continue
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                yield json_object(line, number)
