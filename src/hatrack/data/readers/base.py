"""Readers turn a file into numbered rows; a row that cannot be read becomes a RowFault and reading goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from hatrack.core.errors import DataFileError
from hatrack.core.names import closest
from hatrack.core.plugins import Plugins
from hatrack.data.records import RawRow, RowFault

__all__ = ["READERS", "Reader", "excerpt", "lines", "open_rows"]


class Reader(Protocol):
    """One file format."""

    suffixes: tuple[str, ...]

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        """Every record of the open file, in order.

        Raises:
            DataFileError: the file as a whole is not of this format.
        """
        ...


READERS: Plugins[type[Reader]] = Plugins("reader", {"jsonl": "hatrack.data.readers.jsonl:Jsonl", "csv": "hatrack.data.readers.csv:Csv"})


def open_rows(path: Path, format_name: str = "auto", max_row_bytes: int = 1_000_000) -> Iterator[RawRow | RowFault]:
    """Read ``path`` with the reader named, or the one that its ending asks for.

    Raises:
        DataFileError: no such file, an unknown ending, an empty file, or one that cannot be read at all.
    """
    reader = _reader(path, format_name)
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        near = closest(path.name, (p.name for p in path.parent.glob("*"))) if path.parent.is_dir() else []
        raise DataFileError(
            "there is no such data file", given=str(path), fix=f"did you mean {near[0]}?" if near else "correct `data` in hatrack.yaml"
        ) from error
    except OSError as error:
        raise DataFileError("the data file cannot be opened", given=f"{path}: {error.strerror}") from error
    with stream:
        empty = True
        for row in reader.rows(stream, path, max_row_bytes):
            empty = False
            yield row
    if empty:
        raise DataFileError(
            "the data file holds no rows", given=str(path), allowed="at least ten rows", fix="check the export that wrote it"
        )


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


def _reader(path: Path, format_name: str) -> Reader:
    if format_name != "auto":
        return READERS.get(format_name)()
    for name in READERS.names():
        reader = READERS.get(name)()
        if path.suffix.lower() in reader.suffixes:
            return reader
    raise DataFileError(
        "the format of this data file is not known",
        given=path.name,
        allowed=", ".join(READERS.names()) + " (by the file's ending, or set data.format)",
        fix="rename the file, or write data: {train: FILE, format: csv}",
    )
