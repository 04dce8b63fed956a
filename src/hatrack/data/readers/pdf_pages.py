"""The process that parses one PDF: ``python -m hatrack.data.readers.pdf_pages LIMIT MEMORY SECONDS < file``.

It answers with one JSON object: ``{"title", "sections": [[heading, level, text], ...]}``, ``{"fault": reason}``, or
``{"full": true}`` where there is more text than ``LIMIT`` bytes.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdf import PdfReader

__all__ = ["main"]

_MOST_PAGES = 5_000
_SPACE = re.compile(r"\s+")


def main(limit: int, memory: int, seconds: int) -> dict[str, Any]:
    """Title and sections of the PDF on standard input."""
    _confine(memory, seconds)
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    logging.disable(logging.CRITICAL)
    reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()))
    if reader.is_encrypted:
        try:
            opened = reader.decrypt("")  # many are locked against printing only and open without a password
        except DependencyError:
            opened = None
        if not opened:
            return {"fault": "this PDF is encrypted; save it without a password"}
    if len(reader.pages) > _MOST_PAGES:
        return {"fault": f"this PDF has {len(reader.pages):,} pages; {_MOST_PAGES:,} are allowed, divide it"}
    pages, used = [], 0
    for page in reader.pages:
        pages.append(_clean(page.extract_text()))
        used += len(pages[-1].encode("utf-8"))
        if used > limit:
            return {"full": True}
    if not any(pages):
        return {"fault": "no text can be taken from this PDF; if its pages are scanned, recognise their text first"}
    title = _clean(str((reader.metadata.title if reader.metadata else None) or ""))
    return {"title": "" if title.lower() == "untitled" else title, "sections": _sections(pages, _bookmarks(reader))}


def _confine(memory: int, seconds: int) -> None:
    """Ask the operating system to end this process beyond these limits; where it has none, the parent's clock remains."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _clean(text: str) -> str:
    """Text that any UTF-8 file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8").strip(" \t\r\n")


def _bookmarks(reader: PdfReader) -> list[tuple[int, int, str]]:
    """Page from 0, level from 1, and title of each bookmark, in the order of the pages."""
    found: list[tuple[int, int, str]] = []

    def walk(entries: list[Any], level: int) -> None:
        for entry in entries:
            if isinstance(entry, list):
                walk(entry, level + 1)
            elif (page := reader.get_destination_page_number(entry)) is not None and page >= 0:
                found.append((page, level, _SPACE.sub(" ", _clean(str(entry.title)))))

    walk(reader.outline, 1)
    return sorted(found, key=lambda bookmark: bookmark[0])


def _sections(pages: list[str], bookmarks: list[tuple[int, int, str]]) -> list[tuple[str, int, str]]:
    """The pages, cut where a bookmark's title stands on its page; where it does not, at the beginning of the page."""
    if not bookmarks:
        return [("", 0, page) for page in pages]
    starts = [0]
    for page in pages:
        starts.append(starts[-1] + len(page) + 2)
    text = "\n\n".join(pages)
    cuts, at = [], 0
    for page_number, level, title in bookmarks:
        words = r"\s+".join(re.escape(word) for word in title.split())
        begin = max(at, starts[page_number])
        found = re.compile(words, re.IGNORECASE).search(text, begin, starts[page_number + 1]) if words else None
        begin = found.start() if found else begin
        cuts.append((begin, level, title, found.end() if found else begin))
        at = cuts[-1][3]
    ends = [cut[0] for cut in cuts[1:]] + [len(text)]
    parts = [(title, level, text[after:end].strip(" \t\r\n")) for (_, level, title, after), end in zip(cuts, ends, strict=True)]
    return [("", 0, text[: cuts[0][0]].strip(" \t\r\n")), *parts]


if __name__ == "__main__":
    json.dump(main(*(int(argument) for argument in sys.argv[1:4])), sys.stdout)
