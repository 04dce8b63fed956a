"""Parquet: rows in batches, a row group at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from hatrack.core.errors import DataFileError
from hatrack.core.extras import require
from hatrack.data.readers.base import too_long
from hatrack.data.records import RawRow, RowFault

__all__ = ["Parquet"]

_BATCH = 128  # a row may be as large as a page of its column says, so few are held at once
_MOST_BYTES = 4_000_000_000  # of one row group, unpacked: more than any writer makes


class Parquet:
    """Reads Parquet; a row's number is its place in the file, from 1. Cells may hold lists and structures."""

    suffixes = (".parquet",)
    document = False
    magic = b"PAR1"

    def sniff(self, head: bytes) -> str:
        return "begins with PAR1" if head.startswith(self.magic) else ""

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        arrow = require("pyarrow", extra="parquet", reason="reading Parquet")
        parquet = require("pyarrow.parquet", extra="parquet", reason="reading Parquet")
        if not stream.read(1):
            return
        stream.seek(0)
        number = 0
        try:
            file = parquet.ParquetFile(stream)
            _check(file, path)
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from _rows(batch, number, max_row_bytes)
                number += batch.num_rows
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise DataFileError(
                "this Parquet file is damaged or uses what this reader does not know",
                given=f"{path}, behind row {number}: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
                fix="write it again",
            ) from error


def _check(file: Any, path: Path) -> None:
    names = file.schema_arrow.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataFileError("two columns of this file have the same name", given=f"{path}: {twice}", fix="rename one")
    sizes = [file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups)]
    if max(sizes, default=0) > _MOST_BYTES:
        raise DataFileError(
            "a row group of this Parquet file is too large",
            given=f"{path}: {max(sizes):,} bytes",
            allowed=f"{_MOST_BYTES:,} bytes",
            fix="write it again with smaller row groups",
        )


def _rows(batch: Any, before: int, limit: int) -> Iterator[RawRow | RowFault]:
    if batch.nbytes <= limit:  # then no row of it can be too long
        with contextlib.suppress(UnicodeDecodeError, OverflowError):
            yield from [RawRow(number, cells) for number, cells in enumerate(batch.to_pylist(), before + 1)]
            return
    for i in range(batch.num_rows):
        number, row = before + i + 1, batch.slice(i, 1)
        if row.nbytes > limit:
            yield too_long(number, limit)
            continue
        try:
            yield RawRow(number, row.to_pylist()[0])
        except (UnicodeDecodeError, OverflowError) as error:
            yield RowFault(number, f"cannot be read: {error}")
