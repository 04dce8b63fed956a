"""Plain text: a file is one document with one section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hatrack.data.readers.base import too_long
from hatrack.data.readers.documents import BLANK, Section, document_row, whole_text
from hatrack.data.records import RawRow, RowFault

__all__ = ["Text"]

_EMPTY_LINES = re.compile(r"\n[ \t]*\n\s*")


class Text:
    """Reads UTF-8 text; the file's name is the title."""

    suffixes = (".txt",)
    document = True
    magic = b""

    def sniff(self, head: bytes) -> str:
        return ""

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        text = whole_text(stream, path, max_row_bytes)
        if text is None:
            yield too_long(1, max_row_bytes)
        elif text.strip():
            blocks = [block.strip(BLANK) for block in _EMPTY_LINES.split(text)]
            yield document_row(path, "", [Section(blocks=[block for block in blocks if block])], max_row_bytes)
