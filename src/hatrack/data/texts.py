"""Bare texts to be classified: one column of a data file, or the lines of a text file."""

from __future__ import annotations

from pathlib import Path

from hatrack.core.errors import DataFileError, RowErrors
from hatrack.core.names import closest
from hatrack.data.readers.base import lines, open_rows
from hatrack.data.records import RowFault

__all__ = ["read_texts"]

_MAX_BYTES = 1_000_000


def read_texts(path: Path, column: str) -> list[tuple[int, str]]:
    """Row number and text of every row.

    Raises:
        DataFileError: no such file, no rows, or no such column.
        RowErrors: rows that hold no text; nothing is left out in silence.
    """
    if path.suffix.lower() == ".txt":
        return _lines(path)
    texts: list[tuple[int, str]] = []
    faults: list[tuple[int, str]] = []
    for row in open_rows(path, max_row_bytes=_MAX_BYTES, layout_name="columns"):
        if isinstance(row, RowFault):
            faults.append((row.number, row.reason))
            continue
        value = row.columns.get(column)
        if column not in row.columns and not texts:
            near = closest(column, row.columns, 1)
            raise DataFileError(
                f"{path.name} has no column {column!r}",
                given=", ".join(row.columns),
                fix=f"--column {near[0] if near else 'NAME'}",
            )
        if isinstance(value, str) and value.strip():
            texts.append((row.number, value))
        else:
            faults.append((row.number, f"column {column!r} holds no text"))
    if faults:
        raise RowErrors(f"{len(faults)} rows of {path.name} hold no text", rows=tuple(faults), fix="correct or remove these rows")
    return texts


def _lines(path: Path) -> list[tuple[int, str]]:
    if not path.is_file():
        raise DataFileError("there is no such file", given=str(path))
    texts = []
    with path.open("rb") as stream:
        for number, line in lines(stream, _MAX_BYTES):
            if line is None:
                raise RowErrors(f"a line of {path.name} is too long", rows=((number, f"longer than {_MAX_BYTES:,} bytes"),))
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise RowErrors(
                    f"{path.name} is not UTF-8", rows=((number, f"byte 0x{line[error.start]:02x}"),), fix="save it as UTF-8"
                ) from error
            if text.strip():
                texts.append((number, text))
    if not texts:
        raise DataFileError("the file holds no text", given=str(path))
    return texts
