"""Readers turn a file into numbered rows; a row that cannot be read becomes a RowFault and reading goes on."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from hatrack.core.errors import DataFileError
from hatrack.core.plugins import Plugins
from hatrack.data.layouts.base import LAYOUTS, choose_layout
from hatrack.data.readers.files import ending, files_in, open_file
from hatrack.data.readers.signatures import HEAD, signature
from hatrack.data.records import RawRow, RowFault

__all__ = ["LOOK", "READERS", "Reader", "Source", "excerpt", "lines", "open_rows", "sources", "too_long"]

LOOK = 20  # rows that a layout is chosen by


class Reader(Protocol):
    """One file format.

    Attributes:
        suffixes: endings of its files, in lower case; several readers may share one.
        document: a file is one row with title, text and sections.
        magic: the bytes every file of a binary format begins with; empty for text.
    """

    suffixes: tuple[str, ...]
    document: bool
    magic: bytes

    def sniff(self, head: bytes) -> str:
        """In words what marks these first bytes as this format's; empty where nothing does. Decides between readers of one ending."""
        ...

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        """Every record of the open file, in order. The stream can be rewound.

        Raises:
            DataFileError: the file as a whole is not of this format.
        """
        ...


READERS: Plugins[type[Reader]] = Plugins(
    "reader",
    {
        "csv": "hatrack.data.readers.csv:Csv",
        "docx": "hatrack.data.readers.docx:Docx",
        "html": "hatrack.data.readers.html:Html",
        "json": "hatrack.data.readers.json:Json",
        "jsonl": "hatrack.data.readers.jsonl:Jsonl",
        "markdown": "hatrack.data.readers.markdown:Markdown",
        "parquet": "hatrack.data.readers.parquet:Parquet",
        "pdf": "hatrack.data.readers.pdf:Pdf",
        "text": "hatrack.data.readers.text:Text",
        "transcript": "hatrack.data.readers.transcript:Transcript",
        "webvtt": "hatrack.data.readers.webvtt:WebVtt",
    },
)


@dataclass(frozen=True, slots=True)
class Source:
    """One file that is read.

    Attributes:
        name: the path below the folder that was given, or the file's name.
        reader: who reads it; empty where nobody can, see ``fault``.
        why: the evidence, in words.
        fault: why a file of a folder cannot be read.
    """

    path: Path
    name: str
    reader: str
    why: str = ""
    fault: str = ""


def open_rows(
    path: Path, format_name: str = "auto", max_row_bytes: int = 1_000_000, layout_name: str = "auto"
) -> Iterator[RawRow | RowFault]:
    """Read a file, or all files of a folder, and bring the rows to the canonical columns of their layout.

    In a folder rows are numbered on from file to file and carry the file's path below it as ``source``; a file that
    cannot be read is one fault.

    Raises:
        DataFileError: no such file, an unknown ending, another content than the ending says, no rows, not readable.
        ConfigError: no reader or no layout of this name.
        MissingExtra: the reader needs a package that is not installed.
    """
    found = sources(path, format_name)
    rows = _rows_of_folder(found, max_row_bytes) if os.path.isdir(path) else _rows_of_file(found[0], max_row_bytes)
    first = list(itertools.islice(rows, LOOK))
    if not first:
        raise DataFileError(
            "the data file holds no rows", given=str(path), allowed="at least ten rows", fix="check the export that wrote it"
        )
    layout, _ = choose_layout(layout_name, first)
    yield from LAYOUTS.get(layout)().convert(itertools.chain(first, rows))


def sources(path: Path, format_name: str = "auto") -> list[Source]:
    """The files that ``open_rows`` reads, in order, and who reads each.

    Raises:
        DataFileError: nothing here can be read, or a folder holds both documents and files of rows.
    """
    if format_name != "auto":
        READERS.get(format_name)
    if not os.path.isdir(path):
        return [_source(path, path.name, format_name)]
    found = [source for file in files_in(path) if (source := _in_folder(file, path, format_name))]
    if not found:
        raise DataFileError(
            "this folder holds no file that can be read", given=str(path), allowed=f"files ending in {', '.join(_endings(format_name))}"
        )
    kinds = {READERS.get(source.reader).document: source for source in found if source.reader}
    if len(kinds) > 1:
        raise DataFileError(
            "this folder holds documents and files of rows",
            given=f"{path}: {kinds[True].name} ({kinds[True].reader}) and {kinds[False].name} ({kinds[False].reader})",
            allowed="files of one kind",
            fix="name one format, data: {train: FOLDER, format: NAME}, or move the others away",
        )
    return found


def lines(stream: BinaryIO, max_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines of a binary stream, without their line ends; None for one that is longer than ``max_bytes``.

    Only LF ends a line: U+2028 and U+0085 occur inside real records. Never more than ``max_bytes`` are held.
    """
    number = 0
    while chunk := stream.readline(max_bytes + 1):
        number += 1
        if len(chunk) > max_bytes and not chunk.endswith(b"\n"):
            while (more := stream.readline(max_bytes)) and not more.endswith(b"\n"):
                pass
            yield number, None
        else:
            yield number, chunk.rstrip(b"\r\n")


def excerpt(text: str) -> str:
    """The first characters of a row, on one line."""
    return " ".join(text[:80].split())


def too_long(number: int, max_row_bytes: int) -> RowFault:
    """The fault of a row that is larger than the config allows."""
    return RowFault(number, f"longer than {max_row_bytes:,} bytes (checks.max_row_bytes)")


def _rows_of_file(source: Source, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
    with open_file(source.path) as stream:
        yield from READERS.get(source.reader)().rows(stream, source.path, max_row_bytes)


def _rows_of_folder(found: list[Source], max_row_bytes: int) -> Iterator[RawRow | RowFault]:
    number = 0
    for source in found:
        if source.fault:
            number += 1
            yield RowFault(number, f"{source.name}: {source.fault}")
            continue
        document, before = READERS.get(source.reader).document, number
        try:
            for row in _rows_of_file(source, max_row_bytes):
                number += 1
                if isinstance(row, RawRow):
                    yield RawRow(number, {**row.columns, "source": source.name})
                else:
                    where = source.name if document else f"{source.name}, row {row.number}"
                    yield replace(row, number=number, reason=f"{where}: {row.reason}")
        except DataFileError as error:
            number += 1
            yield RowFault(number, f"{source.name}: {error.what}" + (f" ({error.given})" if error.given else ""))
        if number == before:
            number += 1
            yield RowFault(number, f"{source.name}: the file is empty")


def _in_folder(path: Path, folder: Path, format_name: str) -> Source | None:
    if ending(path) not in _endings(format_name):
        return None
    name = path.relative_to(folder).as_posix()
    try:
        return _source(path, name, format_name)
    except DataFileError as error:
        return Source(path, name, "", fault=f"{error.what} ({error.given})")


def _endings(format_name: str) -> list[str]:
    names = READERS.names() if format_name == "auto" else [format_name]
    return sorted({suffix for name in names for suffix in READERS.get(name).suffixes})


def _source(path: Path, name: str, format_name: str) -> Source:
    """Who reads this file: by name, else by its ending and, where several share that, by its first bytes."""
    suffix = ending(path)
    candidates = [format_name]
    if format_name == "auto":
        candidates = [reader for reader in READERS.names() if suffix in READERS.get(reader).suffixes]
    if not candidates:
        raise DataFileError(
            "the format of this data file is not known",
            given=path.name,
            allowed=", ".join(READERS.names()) + " (by the file's ending, or set data.format)",
            fix="rename the file, or write data: {train: FILE, format: csv}",
        )
    with open_file(path) as stream:
        head = stream.read(HEAD)
    evidence = {candidate: READERS.get(candidate)().sniff(head) for candidate in candidates}
    reader = next((candidate for candidate in candidates if evidence[candidate]), candidates[0])
    said = f"is asked for as {reader}" if format_name != "auto" else f"ends in {suffix}"
    _content_agrees(path, reader, said, head)
    return Source(path, name, reader, said + (f" and {evidence[reader]}" if evidence[reader] else ""))


def _content_agrees(path: Path, reader: str, said: str, head: bytes) -> None:
    magic, document, found = READERS.get(reader).magic, READERS.get(reader).document, signature(head)
    if not magic and not document and head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        found = "a web page, perhaps that of a login"
    if not head or (head.startswith(magic) if magic else not found):
        return
    raise DataFileError(
        "this file is not what its ending says" if said.startswith("ends") else "this file is not of the format asked for",
        given=f"{path.name} {said} and begins like {found or 'text'}",
        fix="rename it, or save it as what it should be (a spreadsheet: as CSV UTF-8)",
    )
