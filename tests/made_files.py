"""Files that no hand can write: made with the libraries that other people use."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["FIXTURES", "make_docx", "make_docx_of", "make_parquet", "make_pdf", "make_raw_pdf"]

FIXTURES = Path(__file__).parent / "data" / "fixtures"


def make_docx(blocks: Sequence[tuple[str, str]] = (("Normal", "Read the contract."),), title: str = "") -> bytes:
    """A Word document of paragraphs with their styles."""
    import docx

    document = docx.Document()
    document.core_properties.title = title
    for style, text in blocks:
        document.add_paragraph(text, style=style)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def make_docx_of(body: str, **parts: str) -> bytes:
    """A zip archive with this XML as its word/document.xml, and other parts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", body)
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/") + ".xml", content)
    return stream.getvalue()


def make_pdf(
    pages: Sequence[str] = ("Read the contract.",), title: str = "", bookmarks: Sequence[tuple[int, int, str]] = (), **keys: Any
) -> bytes:
    """A PDF with a line of text for each line of a page, and bookmarks as (page, level from 0, title)."""
    from reportlab.pdfgen import canvas

    stream = io.BytesIO()
    paper = canvas.Canvas(stream, invariant=1, **keys)
    if title:
        paper.setTitle(title)
    for number, text in enumerate(pages):
        for i, (page, level, name) in enumerate(bookmarks):
            if page == number:
                paper.bookmarkPage(f"mark-{i}")
                paper.addOutlineEntry(name, f"mark-{i}", level)
        for line, words in enumerate(text.split("\n")):
            paper.drawString(72, 800 - 20 * line, words)
        paper.showPage()
    paper.save()
    return stream.getvalue()


def make_raw_pdf(objects: Sequence[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    parts = [b"%PDF-1.7\n"]
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(sum(map(len, parts)))
        parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, content))
    start = sum(map(len, parts))
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    parts += [b"%010d 00000 n \n" % offset for offset in offsets]
    parts.append(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return b"".join(parts)


def make_parquet(rows: Sequence[dict[str, Any]], **keys: Any) -> bytes:
    """A Parquet file; keys go to its writer."""
    import pyarrow
    from pyarrow import parquet

    stream = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), stream, **keys)
    return stream.getvalue()
