"""HTML: the text of a page by its headings, without scripts, styles and navigation."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from hatrack.core.errors import DataFileError
from hatrack.core.extras import require
from hatrack.data.readers.base import too_long
from hatrack.data.readers.documents import Sections, document_row
from hatrack.data.records import RawRow, RowFault

__all__ = ["Html"]

_MOST_BYTES = 32_000_000
_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]{2,40})""", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")  # what HTML folds; a no-break space or U+2028 is content

_DROPPED = re.compile("script|style|noscript|template|nav|aside|footer|svg|math|iframe|object|select|textarea|dialog")
_DROPPED_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "complementary"})
_VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr")
_BLOCK = re.compile(
    "address|article|blockquote|body|caption|dd|details|div|dl|dt|fieldset|figcaption|figure|h[1-6]|header|hr|html|li|main|ol|p|pre|"
    "section|summary|table|tbody|tfoot|thead|tr|ul"
)


class Html:
    """Reads a page in one pass and without a tree, so that its size in memory is that of its text."""

    suffixes = (".html", ".htm", ".xhtml")
    document = True
    magic = b""

    def sniff(self, head: bytes) -> str:
        return ""

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        etree = require("lxml.etree", extra="documents", reason="reading HTML")
        raw = stream.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            yield RowFault(1, f"this page is larger than {_MOST_BYTES:,} bytes")
            return
        if not raw.strip():
            return
        page = _Page(Sections(max_row_bytes))
        parser = etree.HTMLParser(target=page, encoding="utf-8", no_network=True)
        text = _decoded(raw, path).replace("\x00", "\ufffd").encode("utf-8", "replace")
        try:
            for at in range(0, len(text), 65_536):
                parser.feed(text[at : at + 65_536])
                if page.sections.full:
                    break
            parser.close()
        except (etree.LxmlError, AssertionError) as error:  # lxml asserts that a document has a root
            raise DataFileError("this HTML file cannot be read", given=f"{path}: {error}") from error
        if page.sections.full:
            yield too_long(1, max_row_bytes)
        else:
            yield document_row(path, page.title, page.sections.all, max_row_bytes)


def _decoded(raw: bytes, path: Path) -> str:
    """As UTF-8, else by the charset that the page declares."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        declared = _CHARSET.search(raw[:4096])
        name = declared.group(1).decode("ascii") if declared else ""
        if name:
            with contextlib.suppress(LookupError, ValueError):
                return raw.decode(name, "replace")
        raise DataFileError(
            "this HTML file is not UTF-8 and declares no character set that is known",
            given=f"{path}: byte 0x{raw[error.start]:02x} at position {error.start:,}" + (f", charset {name}" if name else ""),
            fix="save it as UTF-8",
        ) from error


@dataclass
class _Page:
    """What the parser tells of a page, element by element.

    ``<main>`` is what a page is about: where there is one, what came before it is forgotten and what follows is left out.
    """

    sections: Sections
    title: str = ""
    _text: list[str] = field(default_factory=list)
    _dropped: list[str] = field(default_factory=list)
    _level: int = 0
    _in_title: bool = False
    _preformatted: int = 0
    _behind_main: bool = False

    def start(self, tag: Any, attributes: Any) -> None:
        if self._dropped:
            if not _VOID.fullmatch(tag):
                self._dropped.append(tag)
            return
        button = tag == "button" and not self._level  # in a heading it holds the heading's words
        if _DROPPED.fullmatch(tag) or button or attributes.get("role") in _DROPPED_ROLES or "hidden" in attributes:
            if not _VOID.fullmatch(tag):
                self._dropped.append(tag)
            return
        if _BLOCK.fullmatch(tag):
            self._end_block()
        if tag == "main" and not self._behind_main:
            self.sections.restart()
        self._in_title = tag == "title"
        self._preformatted += tag == "pre"
        if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
            self._level = int(tag[1])
        elif tag == "li":
            self._text.append("- ")
        elif tag == "br":
            self._text.append("\n")
        elif tag in ("td", "th") and "".join(self._text).strip():
            self._text.append(" | ")

    def end(self, tag: Any) -> None:
        if _VOID.fullmatch(tag):
            return
        if self._dropped:
            while self._dropped and self._dropped.pop() != tag:
                pass  # an element inside was never closed
            return
        self._in_title = False
        if _BLOCK.fullmatch(tag):
            self._end_block()
        self._preformatted -= tag == "pre"
        self._behind_main = self._behind_main or tag == "main"

    def data(self, text: str) -> None:
        if self._dropped:
            return
        if self._in_title:
            self.title += text
        else:
            self._text.append(text if self._preformatted else _SPACE.sub(" ", text))

    def close(self) -> None:
        self._end_block()
        self.title = _SPACE.sub(" ", self.title).strip()

    def _end_block(self) -> None:
        if not self._text:
            return
        whole = "".join(self._text)
        self._text.clear()
        level, self._level = self._level, 0
        lines = (
            whole.strip("\r\n").split("\n") if self._preformatted else [re.sub(" +", " ", line).strip(" ") for line in whole.split("\n")]
        )
        text = "\n".join(lines).strip("\n")
        if self._behind_main or not text.strip(" -\n"):
            return
        if level:
            self.sections.heading(text.replace("\n", " "), level)
        else:
            self.sections.block(text)
