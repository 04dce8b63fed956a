"""What every reader of documents gives: one row with a title, sections and their text as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from hatrack.core.errors import DataFileError
from hatrack.data.readers.base import too_long
from hatrack.data.records import RawRow, RowFault

__all__ = ["BLANK", "Section", "Sections", "document_row", "whole_text"]

BLANK = " \t\r\n"  # U+2028, U+0085 and the like are content


@dataclass(slots=True)
class Section:
    """A heading (empty for what stands before the first one), its level from 1 (0 without one), and the blocks below it."""

    heading: str = ""
    level: int = 0
    blocks: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The blocks with an empty line between them."""
        return "\n\n".join(self.blocks)


class Sections:
    """Collects headings and blocks in the order of the page.

    Args:
        limit: bytes of text after which ``full`` is true and nothing more is kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self.all = [Section()]

    @property
    def full(self) -> bool:
        """Whether there was more text than is allowed."""
        return self._bytes > self._limit

    def restart(self) -> None:
        """Forget everything so far."""
        self._bytes = 0
        self.all = [Section()]

    def heading(self, text: str, level: int) -> None:
        """Begin a section."""
        if self._fits(text):
            self.all.append(Section(text, level))

    def block(self, text: str) -> None:
        """Add a paragraph, a list item, a row of a table."""
        if self._fits(text):
            self.all[-1].blocks.append(text)

    def _fits(self, text: str) -> bool:
        self._bytes += len(text.encode("utf-8", "surrogatepass"))
        return bool(text) and not self.full


def document_row(path: Path, title: str, sections: Iterable[Section], limit: int) -> RawRow | RowFault:
    """The one row of a document. Sections with neither a heading nor text are left out; the title falls back on the file's name."""
    kept = [section for section in sections if section.heading or section.blocks]
    if not any(section.blocks for section in kept):
        return RowFault(1, "there is no text in this document")
    text = "\n\n".join(part for section in kept for part in (section.heading, section.text) if part)
    if len(text.encode("utf-8", "surrogatepass")) > limit:
        return too_long(1, limit)
    parts = [{"heading": section.heading, "level": section.level, "text": section.text} for section in kept]
    return RawRow(1, {"title": title.strip(BLANK) or path.stem, "text": text, "sections": parts, "source": path.name})


def whole_text(stream: BinaryIO, path: Path, limit: int) -> str | None:
    """All of a text file; None where it has more than ``limit`` bytes.

    Raises:
        DataFileError: it is not UTF-8.
    """
    raw = stream.read(limit + 1)
    if len(raw) > limit:
        return None
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataFileError(
            "this text file is not UTF-8",
            given=f"{path}, line {line}: byte 0x{raw[error.start]:02x}",
            allowed="UTF-8, with or without a byte order mark",
            fix="save it as UTF-8",
        ) from error
