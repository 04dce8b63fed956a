"""Rows on disk that are used like rows in memory: a spool is a sequence of examples, read one at a time.

A spool is a folder, written whole or not at all:

    rows.jsonl   one row a line: [row, group, content]
    index.i64    numpy int64 [rows + 1, 2]: where each line begins, and its CRC-32; behind them, where the last one ends
    spool.json   how many rows, and the digest of what they hold
"""

from __future__ import annotations

import hashlib
import json
import os
import weakref
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, overload

import numpy as np
from numpy.typing import NDArray

from hatrack.core.atomic import staged_folder
from hatrack.core.chat import Message
from hatrack.core.digest import canonical_json
from hatrack.core.errors import DataFileError
from hatrack.data.records import Example

__all__ = ["Column", "Spool", "SpoolWriter", "column", "content_digest", "subset"]

_ROWS, _INDEX, _ABOUT = "rows.jsonl", "index.i64", "spool.json"
_FORMAT = 1
_DECODER = json.JSONDecoder()

ColumnName = Literal["id", "text", "label", "group"]


class SpoolWriter:
    """Takes rows one after the other: ``with SpoolWriter.open(folder) as spool: spool.append(example)``."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._index = array("q")
        self._end = 0
        self._digest = _ContentDigest()

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator[SpoolWriter]:
        """A spool to fill. ``folder`` is there when the block has ended without an error; what it held before is replaced.

        Raises:
            StorageError: disk full, read-only, or not permitted.
        """
        with staged_folder(folder) as staging:
            with (staging / _ROWS).open("wb") as stream:
                writer = cls(stream)
                yield writer
            writer._finish(staging)

    def append(self, example: Example) -> None:
        """Write one row."""
        content = _encoded(example)
        line = b"[%d,%s,%s]\n" % (example.row, json.dumps(example.group).encode(), content)
        self._stream.write(line)
        self._index.extend((self._end, zlib.crc32(line)))
        self._end += len(line)
        self._digest.add(content)

    def _finish(self, staging: Path) -> None:
        self._index.extend((self._end, 0))
        (staging / _INDEX).write_bytes(self._index)
        about = {"format": _FORMAT, "rows": len(self._index) // 2 - 1, "digest": self._digest.hexdigest()}
        (staging / _ABOUT).write_text(json.dumps(about) + "\n", encoding="utf-8")


class Spool(Sequence[Example]):
    """Rows of a spool, all of them or some: behaves like a list of examples and holds none of them in memory."""

    def __init__(self, file: _RowFile, chosen: NDArray[np.int64], digest: str | None = None) -> None:
        self._file = file
        self._chosen = chosen
        self._digest = digest

    @classmethod
    def open(cls, folder: Path) -> Spool:
        """The rows that ``SpoolWriter`` wrote to ``folder``.

        Raises:
            DataFileError: there is no spool, or its files do not fit together. A row whose line was changed since it was
                written raises it when it is read.
        """
        file = _RowFile(folder)
        return cls(file, np.arange(file.rows), file.digest)

    @property
    def positions(self) -> NDArray[np.int64]:
        """Where each of these rows stands in the spool that was written."""
        return self._chosen

    def subset(self, indices: NDArray[np.int64]) -> Spool:
        """The rows at these positions, in this order; nothing is copied."""
        return Spool(self._file, self._chosen[indices])

    def column(self, name: ColumnName) -> Column:
        """One field of every row, read without the others being kept."""
        return Column(self._file, self._chosen, name)

    def digest(self) -> str:
        """``content_digest`` of these rows; known already for a whole spool."""
        return self._digest or content_digest(self)

    def __len__(self) -> int:
        return len(self._chosen)

    def __iter__(self) -> Iterator[Example]:
        return map(self._file.example, map(int, self._chosen))

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Spool: ...
    def __getitem__(self, index: int | slice) -> Example | Spool:
        if isinstance(index, slice):
            return Spool(self._file, self._chosen[index])
        return self._file.example(int(self._chosen[index]))


class Column(Sequence[str]):
    """One field of the rows of a spool."""

    def __init__(self, file: _RowFile, chosen: NDArray[np.int64], name: ColumnName) -> None:
        self._file = file
        self._chosen = chosen
        self._name = name

    def __len__(self) -> int:
        return len(self._chosen)

    def __iter__(self) -> Iterator[str]:
        return (self._file.field(int(row), self._name) for row in self._chosen)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Column: ...
    def __getitem__(self, index: int | slice) -> str | Column:
        if isinstance(index, slice):
            return Column(self._file, self._chosen[index], self._name)
        return self._file.field(int(self._chosen[index]), self._name)


def column(rows: Sequence[Example], name: ColumnName) -> Sequence[str]:
    """One field of every row, lazily where the rows are on disk."""
    return rows.column(name) if isinstance(rows, Spool) else [getattr(example, name) for example in rows]


def subset(rows: Sequence[Example], indices: NDArray[np.int64]) -> Sequence[Example]:
    """The rows at these positions: a list, or a view where the rows are on disk."""
    return rows.subset(indices) if isinstance(rows, Spool) else [rows[i] for i in indices.tolist()]


def content_digest(rows: Iterable[Example]) -> str:
    """``sha256_json`` of the list of the rows' contents, of which one at a time is in memory."""
    digest = _ContentDigest()
    for example in rows:
        digest.add(_encoded(example))
    return digest.hexdigest()


class _ContentDigest:
    """SHA-256 of the canonical JSON of a list whose items come one by one."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"[")
        self._separator = b""

    def add(self, content: bytes) -> None:
        self._hash.update(self._separator + content)
        self._separator = b","

    def hexdigest(self) -> str:
        whole = self._hash.copy()
        whole.update(b"]")
        return whole.hexdigest()


class _RowFile:
    """The files of a spool, open for reading; safe to be read by several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not folder.is_dir():
            raise DataFileError("there are no such rows on disk", given=str(folder), fix="prepare the data again")
        try:
            about = json.loads((folder / _ABOUT).read_bytes())
            self.rows, self.digest = int(about["rows"]), str(about["digest"])
            # an array that is not a memmap any more: numpy takes ten times as long for one item of the latter
            self._index = np.asarray(np.memmap(folder / _INDEX, dtype=np.int64, mode="r")).reshape(-1, 2)
            self._descriptor = os.open(folder / _ROWS, os.O_RDONLY)
            weakref.finalize(self, os.close, self._descriptor)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"{type(error).__name__}: {error}") from error
        if about.get("format") != _FORMAT:
            raise self._damaged(f"format {about.get('format')}, not {_FORMAT}")
        begins = self._index[:, 0]
        if len(begins) != self.rows + 1 or begins[0] != 0 or (np.diff(begins) <= 0).any():
            raise self._damaged(f"{_INDEX} is not that of {self.rows:,} rows")
        if os.fstat(self._descriptor).st_size != begins[-1]:
            raise self._damaged(f"{_ROWS} is not as long as {_INDEX} says")

    def example(self, position: int) -> Example:
        row, group, content = self._read(position)
        messages = tuple(Message(turn["role"], turn["content"]) for turn in content["messages"])
        return Example(row, content["id"], content["text"], content["label"], messages, group, content.get("rejected", ""))

    def field(self, position: int, name: ColumnName) -> str:
        _, group, content = self._read(position)
        return str(group if name == "group" else content[name])

    def _read(self, position: int) -> tuple[int, str, dict[str, Any]]:
        start, checksum = self._index[position].tolist()
        length = int(self._index[position + 1, 0]) - start
        line = os.pread(self._descriptor, length, start)
        if zlib.crc32(line) != checksum:
            raise self._damaged(f"row {position + 1} is not as it was written")
        row, group, content = _DECODER.raw_decode(line.decode("utf-8", "surrogatepass"))[0]
        return row, group, content

    def _damaged(self, given: str) -> DataFileError:
        return DataFileError(f"the rows kept in {self._folder.name} are damaged", given=given, fix="prepare the data again")


def _encoded(example: Example) -> bytes:
    return canonical_json(example.content()).encode("utf-8", "surrogatepass")
