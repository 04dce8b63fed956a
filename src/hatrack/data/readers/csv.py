"""CSV with a header, UTF-8: comma, semicolon or tab, whichever the header uses most."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hatrack.core.errors import DataFileError
from hatrack.data.readers.base import lines, too_long
from hatrack.data.records import RawRow, RowFault, beginning

__all__ = ["Csv"]


class Csv:
    """Reads CSV as RFC 4180 has it: quoted fields may hold line ends; a row is numbered by the line it starts on."""

    suffixes = (".csv", ".tsv")
    document = False
    magic = b""

    def sniff(self, head: bytes) -> str:
        return ""

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        source = _Text(stream, path, max_row_bytes)
        header_line = next(source, None)
        if header_line is None:
            return
        delimiter = max(",;\t", key=header_line.count)
        header = _header(header_line, delimiter, path)
        twice = {name for name in header if header.count(name) > 1}
        if twice:
            raise DataFileError("two columns of this file have the same name", given=f"{path}: {sorted(twice)}", fix="rename one")
        csv.field_size_limit(max_row_bytes)
        records = csv.reader(source, delimiter=delimiter, strict=True)
        while True:
            number = source.number + 1
            try:
                fields = next(records)
            except StopIteration:
                return
            except csv.Error as error:
                source.too_long = False
                yield RowFault(number, f"not valid CSV: {error}")
                # an open quote takes in the rows below: each of them is lost, and each must count (F08)
                yield from (RowFault(below, f"inside the quote of row {number}") for below in range(number + 1, source.number + 1))
                continue
            if source.too_long:
                source.too_long = False
                yield too_long(number, max_row_bytes)
            elif not fields or fields == [""]:
                continue
            elif len(fields) != len(header):
                yield RowFault(number, f"{len(fields)} fields where the header has {len(header)}", beginning(delimiter.join(fields)))
            else:
                yield RawRow(number, dict(zip(header, fields, strict=True)))


def _header(line: str, delimiter: str, path: Path) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter, strict=True))]
    except csv.Error as error:
        raise DataFileError(
            "the header of this CSV file cannot be read",
            given=f"{path}: {error}",
            allowed="column names on one line, each line of the file ending in LF or CRLF",
            fix="save it again as CSV UTF-8",
        ) from error
    if not names:
        raise DataFileError(
            "this CSV file has no header", given=f"{path}: the first line is empty or too long", fix="write the column names on line 1"
        )
    return names


class _Text:
    """Decoded lines of a CSV file; remembers where it is, so that a fault can be numbered."""

    def __init__(self, stream: BinaryIO, path: Path, max_bytes: int) -> None:
        self._lines = lines(stream, max_bytes)
        self._path = path
        self.number = 0
        self.too_long = False

    def __iter__(self) -> _Text:
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        if line is None:
            self.too_long = True
            return "\n"
        if self.number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            return line.decode("utf-8") + "\n"
        except UnicodeDecodeError as error:
            raise DataFileError(
                "this CSV file is not UTF-8",
                given=f"{self._path}, line {self.number}: byte 0x{line[error.start]:02x} at position {error.start}",
                allowed="UTF-8, with or without a byte order mark",
                fix="save it as UTF-8 (in a spreadsheet: CSV UTF-8)",
            ) from error
