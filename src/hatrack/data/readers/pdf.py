"""PDF: the text of a document by its bookmarks, or page by page; parsed in a process that cannot run away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hatrack.core.errors import DataFileError
from hatrack.core.extras import require
from hatrack.data.readers.base import too_long
from hatrack.data.readers.documents import Section, document_row
from hatrack.data.records import RawRow, RowFault

__all__ = ["Pdf"]

_MOST_BYTES = 200_000_000
_SECONDS = 120.0
_MEMORY = 2_000_000_000


class Pdf:
    """Gives a file to ``pdf_pages`` in a process of its own, with a limit of time and of memory.

    A PDF is a program: streams that unpack to gigabytes, objects that refer to each other in circles, a million pages
    that are one. The library limits much of this; the process limits the rest.
    """

    suffixes = (".pdf",)
    document = True
    magic = b"%PDF-"

    def sniff(self, head: bytes) -> str:
        return "begins with %PDF-" if head.startswith(self.magic) else ""

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        require("pypdf", extra="documents", reason="reading PDF")
        content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            yield RowFault(1, f"this PDF is larger than {_MOST_BYTES:,} bytes")
        elif content:
            yield _parsed(content, path, max_row_bytes)


def _parsed(content: bytes, path: Path, limit: int) -> RawRow | RowFault:
    command = [sys.executable, "-P", "-m", "hatrack.data.readers.pdf_pages", str(limit), str(_MEMORY), str(int(_SECONDS) + 1)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    try:
        ran = subprocess.run(command, input=content, capture_output=True, timeout=_SECONDS, check=False, env=environment)  # noqa: S603 - no shell, no word from outside
    except subprocess.TimeoutExpired:
        return RowFault(1, f"this PDF could not be read within {_SECONDS:g} seconds")
    if ran.returncode:
        reason = ran.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
        if not reason or reason.startswith("MemoryError"):
            reason = f"reading it takes more than {_MEMORY:,} bytes or {_SECONDS:g} seconds"
        raise DataFileError("this PDF cannot be read", given=f"{path}: {reason}", fix="open it and print it to a new PDF")
    found = json.loads(ran.stdout)
    if found.get("full"):
        return too_long(1, limit)
    if fault := found.get("fault"):
        return RowFault(1, fault)
    sections = [Section(heading, level, [text] if text else []) for heading, level, text in found["sections"]]
    return document_row(path, found["title"], sections, limit)
