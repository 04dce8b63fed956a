"""Files to documents: one for each document, one for each row of a file of rows; what cannot be read is said and left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.core.errors import DataFileError
from hatrack.core.names import closest
from hatrack.data.readers.base import READERS, Source, excerpt, sources
from hatrack.data.readers.files import ending, files_in, open_file
from hatrack.data.records import RawRow, RowFault
from hatrack.rag.metadata import clean_metadata
from hatrack.rag.records import Document, Part

__all__ = ["LeftOut", "SourceFile", "documents_of", "files_below", "nothing_to_read"]

_TEXT, _TITLE, _ID = ("text", "content", "body", "contents"), ("title", "name", "heading"), ("id", "_id", "doc_id")
_NOT_METADATA = {*_TEXT, *_TITLE, *_ID, "sections", "source", "metadata"}


@dataclass(frozen=True)
class SourceFile:
    """A file to read.

    Attributes:
        name: the file as answers call it: from the project where it lies in it.
        reader: who reads it; empty where ``fault`` says why nobody can.
    """

    path: Path
    name: str
    reader: str
    fault: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A document that was not taken in, and why."""

    source: str
    reason: str


def files_below(path: Path, root: Path) -> list[SourceFile]:
    """The file, or all files of the folder that some reader knows.

    Raises:
        DataFileError: there is no such file or folder.
    """
    if not path.exists():
        near = closest(path.name, (p.name for p in path.parent.glob("*")), 1) if path.parent.is_dir() else []
        raise DataFileError(
            "there is no such file or folder",
            given=str(path),
            fix=f"did you mean {near[0]}?" if near else "correct the path; a document that is gone leaves with `hatrack kb remove`",
        )
    if not path.is_dir():
        return [_file(path, root)]
    known = _endings()
    return [_file(file, root) for file in files_in(path) if ending(file) in known]


def nothing_to_read(path: Path) -> DataFileError:
    """The refusal of a folder without a single document."""
    return DataFileError(
        "this folder holds no file that can be read", given=str(path), allowed=f"files ending in {', '.join(sorted(_endings()))}"
    )


def documents_of(file: SourceFile, metadata: dict[str, Any], max_bytes: int) -> Iterator[Document | LeftOut]:
    """Every document of a file. Never more than one of them is held.

    Args:
        metadata: of each document; what it says itself goes first.
        max_bytes: longest document.
    """
    if file.fault:
        yield LeftOut(file.name, file.fault)
        return
    reader = READERS.get(file.reader)
    whole, empty = reader.document, True
    try:
        with open_file(file.path) as stream:
            for row in reader().rows(stream, file.path, max_bytes):
                empty = False
                yield _document(row, file, whole, metadata)
    except DataFileError as error:
        empty = False
        yield LeftOut(file.name, f"{error.what} ({error.given})" if error.given else error.what)
    if empty:
        yield LeftOut(file.name, "the file is empty")


def _document(row: RawRow | RowFault, file: SourceFile, whole: bool, metadata: dict[str, Any]) -> Document | LeftOut:
    place = file.name if whole else f"{file.name}#{row.number}"
    if isinstance(row, RowFault):
        return LeftOut(place, row.reason.replace("checks.max_row_bytes", "knowledge.max_document_mb"))
    columns = row.columns
    if not whole:
        own = next((str(columns[name]) for name in _ID if columns.get(name) not in (None, "")), "")
        place = f"{file.name}#{own or row.number}"
    text = next((columns[name] for name in _TEXT if isinstance(columns.get(name), str)), None)
    if text is None:
        return LeftOut(place, f"there is no text; the columns are {', '.join(columns)[:120]} and one of {', '.join(_TEXT)} is needed")
    if not text.strip():
        return LeftOut(place, "there is no text in this document")
    title = next((str(columns[name]) for name in _TITLE if columns.get(name)), "")
    said = {} if whole else {name: value for name, value in columns.items() if name not in _NOT_METADATA}
    inner = columns.get("metadata")
    try:
        kept = clean_metadata({**metadata, **(inner if isinstance(inner, dict) else {}), **said})
    except ValueError as error:
        return LeftOut(place, f"{error}: {excerpt(text)}")
    return Document(place, file.name, title, _parts(columns, text), {**kept, "source": place})


def _parts(columns: dict[str, Any], text: str) -> tuple[Part, ...]:
    sections = columns.get("sections")
    if not isinstance(sections, list) or not all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in sections):
        return (Part("", 0, text),)
    return tuple(Part(str(one.get("heading") or ""), int(one.get("level") or 0), one["text"]) for one in sections)


def _endings() -> set[str]:
    return {suffix for name in READERS.names() for suffix in READERS.get(name).suffixes}


def _file(path: Path, root: Path) -> SourceFile:
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    try:
        found: Source = sources(path)[0]
    except DataFileError as error:
        return SourceFile(path, name, "", f"{error.what} ({error.given})" if error.given else error.what)
    return SourceFile(path, name, found.reader)
