"""DOCX: the text of a Word document by its heading styles."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from hatrack.core.errors import DataFileError
from hatrack.core.extras import require
from hatrack.data.readers.base import too_long
from hatrack.data.readers.documents import BLANK, Sections, document_row
from hatrack.data.records import RawRow, RowFault

__all__ = ["Docx"]

_BODY, _STYLES, _CORE = "word/document.xml", "word/styles.xml", "docProps/core.xml"
_MOST_BYTES = {_BODY: 64_000_000, _STYLES: 8_000_000, _CORE: 1_000_000}  # unpacked; no part gives more than its entry says
_MOST_DIRECTORY = 10_000_000
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # says again what Choice has said
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_SIGNS = {_W + "tab": "\t", _W + "br": "\n", _W + "cr": "\n", _W + "noBreakHyphen": "\u2011"}
_HEADING = re.compile(r"heading ([1-9])$", re.IGNORECASE)
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, KeyError, ValueError, OSError, EOFError, RuntimeError)


class Docx:
    """Reads the body's XML itself: text in content controls and insertions counts, deleted text does not."""

    suffixes = (".docx",)
    document = True
    magic = b"PK\x03\x04"

    def sniff(self, head: bytes) -> str:
        return "is a zip archive" if head.startswith(self.magic) else ""

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        etree = require("lxml.etree", extra="documents", reason="reading DOCX")
        if not stream.read(1):
            return
        try:
            if _directory_size(stream) > _MOST_DIRECTORY:
                raise zipfile.BadZipFile("it has too many parts")
            with zipfile.ZipFile(stream) as archive:
                yield _document(archive, etree, path, max_row_bytes)
        except (*_DAMAGED, etree.LxmlError) as error:
            raise DataFileError(
                "this file is no Word document that can be read", given=f"{path}: {error}", fix="open it in Word and save it again as .docx"
            ) from error


def _directory_size(stream: BinaryIO) -> int:
    """Bytes of the archive's list of parts, which ``zipfile`` reads as a whole (APPNOTE.TXT 4.3.16)."""
    stream.seek(max(0, stream.seek(0, 2) - 65_557))
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    return int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0


def _document(archive: zipfile.ZipFile, etree: Any, path: Path, limit: int) -> RawRow | RowFault:
    names = set(archive.namelist())
    if _BODY not in names:
        return RowFault(1, f"this zip archive holds no {_BODY}; it is no Word document")
    for name, most in _MOST_BYTES.items():
        if name in names and archive.getinfo(name).file_size > most:
            return RowFault(1, f"{name} in it is larger than {most:,} bytes when it is unpacked")
    # not what every part may be: entities stay unresolved, no network, and a document type is refused by the target
    safe = {"resolve_entities": False, "no_network": True, "load_dtd": False}
    body = _Body(_heading_levels(archive, etree, safe) if _STYLES in names else {}, Sections(limit))
    parser = etree.XMLParser(target=body, **safe)
    with archive.open(_BODY) as part:
        while chunk := part.read(65_536):
            parser.feed(chunk)
            if body.sections.full:
                return too_long(1, limit)
    parser.close()
    if body.sections.full:
        return too_long(1, limit)
    title = _core_title(archive, etree, safe) if _CORE in names else ""
    first = next((section.heading for section in body.sections.all if section.level == 1), "")
    return document_row(path, title or body.title or first, body.sections.all, limit)


def _heading_levels(archive: zipfile.ZipFile, etree: Any, safe: dict[str, bool]) -> dict[str, int]:
    """Style id to heading level, 0 for the title. Names are English in every language version of Word; ids are not."""
    levels = {}
    for style in etree.fromstring(archive.read(_STYLES), etree.XMLParser(**safe)).iter(_W + "style"):
        name = style.find(_W + "name")
        known = str(name.get(_W + "val")) if name is not None else ""
        if found := _HEADING.match(known):
            levels[str(style.get(_W + "styleId"))] = int(found.group(1))
        elif known.lower() == "title":
            levels[str(style.get(_W + "styleId"))] = 0
    return levels


def _core_title(archive: zipfile.ZipFile, etree: Any, safe: dict[str, bool]) -> str:
    element = etree.fromstring(archive.read(_CORE), etree.XMLParser(**safe)).find(_TITLE)
    return (element.text or "").strip(BLANK) if element is not None else ""


class _Body:
    """What the parser tells of the body: paragraphs become headings and blocks, a row of a table becomes one block."""

    def __init__(self, levels: dict[str, int], sections: Sections) -> None:
        self.sections = sections
        self.title = ""
        self._levels = levels
        self._text: list[str] = []
        self._cells: list[str] = []
        self._style = ""
        self._open = dict.fromkeys((_W + "p", _W + "tr", _W + "tc", _W + "t", _FALLBACK), 0)

    def doctype(self, *_: Any) -> None:
        raise ValueError(f"{_BODY} has a document type, which Office files never have")

    def start(self, tag: Any, attributes: Any) -> None:
        if tag in self._open:
            self._open[tag] += 1
        if self._open[_FALLBACK]:
            return
        if tag == _W + "pStyle" and self._open[_W + "p"] == 1:
            self._style = str(attributes.get(_W + "val"))
        elif tag in _SIGNS:
            self._text.append(_SIGNS[tag])

    def data(self, text: str) -> None:
        if self._open[_W + "t"] and not self._open[_FALLBACK]:
            self._text.append(text)

    def end(self, tag: Any) -> None:
        if tag in self._open:
            self._open[tag] -= 1
        if self._open[_FALLBACK]:
            return
        if tag == _W + "p":
            self._end_paragraph()
        elif tag == _W + "tc" and self._open[_W + "tr"] == 1:
            self._cells.append(" ".join("".join(self._text).split()))
            self._text.clear()
        elif tag == _W + "tr" and not self._open[tag]:
            self.sections.block(" | ".join(cell for cell in self._cells if cell))
            self._cells.clear()

    def close(self) -> None:
        """Nothing is left to do at the end of the document."""

    def _end_paragraph(self) -> None:
        if self._open[_W + "p"] or self._open[_W + "tr"]:
            self._text.append("\n")  # of a text box or of a cell: the paragraph or the row around it says it
            return
        text, level = "".join(self._text).strip(BLANK), self._levels.get(self._style)
        self._text.clear()
        self._style = ""
        if not text:
            return
        if level == 0:
            self.title = self.title or text
        elif level:
            self.sections.heading(text.replace("\n", " "), level)
        else:
            self.sections.block(text)
