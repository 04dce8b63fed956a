"""JSON: one array of objects, or an object that holds it under ``data``; read element by element."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hatrack.core.errors import DataFileError
from hatrack.data.readers.base import too_long
from hatrack.data.readers.objects import json_object
from hatrack.data.records import RawRow, RowFault

__all__ = ["Json"]

_CHUNK = 65_536
_LONGEST_KEY = 1_000
_DEEPEST = 100_000
_SPACE = re.compile(rb"[ \t\r\n]+")
_QUOTED = re.compile(rb'["\\]')
_NESTED = re.compile(rb'["\[\]{}]')
_WORD = re.compile(rb"[,:\]}\s]")
_UNDER_DATA = re.compile(rb'"data"\s*:\s*\[')


class Json:
    """Reads a JSON array; a row's number is its place in the array, from 1.

    Where each element ends is found by its brackets and quotes alone, so that a bad element is one fault and an
    array of any length takes the memory of one element.
    """

    suffixes = (".json",)
    document = False
    magic = b""

    def sniff(self, head: bytes) -> str:
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if start.startswith(b"["):
            return "begins with ["
        return 'holds an array under "data"' if start.startswith(b"{") and _UNDER_DATA.search(start) else ""

    def rows(self, stream: BinaryIO, path: Path, max_row_bytes: int) -> Iterator[RawRow | RowFault]:
        values = _Values(stream)
        if not values.peek():
            return
        number = 0
        try:
            _enter_array(values)
            while values.peek() != b"]":
                raw = values.value(max_row_bytes)
                number += 1
                yield too_long(number, max_row_bytes) if raw is None else json_object(raw, number)
                _go_on(values)
        except _BrokenError as error:
            raise DataFileError(
                "this JSON file is broken",
                given=f"{path}, behind row {number}, at byte {values.position:,}: {error}",
                allowed='one array of objects, [{...}, {...}], or {"data": [{...}, {...}]}',
                fix="write the file again; if it has one object on each line, let its name end in .jsonl",
            ) from error


def _go_on(values: _Values) -> None:
    """Go behind the comma to the next element, or stay before the ] of the array."""
    if values.peek() == b"]":
        return
    values.take(b",", "a comma or ]")
    if values.peek() == b"]":
        raise _BrokenError("there is a comma and no value after it")


def _enter_array(values: _Values) -> None:
    """Go behind the [ of the array of rows, over other members of an object where it lies in one."""
    if values.peek() != b"{":
        values.take(b"[", "[ or {")
        return
    values.take(b"{", "{")
    while values.peek() != b"}":
        key = values.value(_LONGEST_KEY)
        values.take(b":", "a colon")
        if key == b'"data"' and values.peek() == b"[":
            values.take(b"[", "[")
            return
        values.value(0)
        if values.peek() != b"}":
            values.take(b",", "a comma or }")
    raise _BrokenError('this object has no array under "data"')


class _BrokenError(Exception):
    """The brackets, commas and quotes of the file do not fit together."""


class _Values:
    """A stream of JSON, value by value. Only structure is looked at; what a value means is judged elsewhere."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = stream.read(3).removeprefix(b"\xef\xbb\xbf")
        self._at = 0
        self._before = 0

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._before + self._at

    def peek(self) -> bytes:
        """The next byte that is no white space; nothing at the end."""
        while True:
            space = _SPACE.match(self._buffer, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not self._more():
                return b""

    def take(self, wanted: bytes, words: str) -> None:
        """Go over one structural byte."""
        found = self.peek()
        if found != wanted:
            raise _BrokenError(f"{words} is needed, here stands {found.decode('latin-1')!r}" if found else "the file ends too early")
        self._at += 1

    def value(self, limit: int) -> bytes | None:
        """The bytes of the next value; None where there are more than ``limit``, which are never held."""
        kept = _Kept(limit)
        if self.peek() not in (b'"', b"[", b"{"):
            return self._word(kept)
        depth, quoted = 0, False
        while True:
            token = self._up_to(_QUOTED if quoted else _NESTED, kept)
            if token == b"\\":
                self._one(kept)
                continue
            if token == b'"':
                quoted = not quoted
            else:
                depth += 1 if token in b"[{" else -1
            if depth > _DEEPEST:
                raise _BrokenError(f"brackets lie in each other {_DEEPEST:,} deep")
            if depth == 0 and not quoted:
                return kept.value

    def _word(self, kept: _Kept) -> bytes | None:
        """A number, true, false, null, or what should be one."""
        while True:
            end = _WORD.search(self._buffer, self._at)
            stop = end.start() if end else len(self._buffer)
            kept.add(self._buffer[self._at : stop])
            self._at = stop
            if end or not self._more():
                break
        if kept.size == 0:
            raise _BrokenError("a value is needed")
        return kept.value

    def _up_to(self, pattern: re.Pattern[bytes], kept: _Kept) -> bytes:
        while True:
            found = pattern.search(self._buffer, self._at)
            stop = found.end() if found else len(self._buffer)
            kept.add(self._buffer[self._at : stop])
            self._at = stop
            if found:
                return found.group()
            if not self._more():
                raise _BrokenError("the file ends inside the next row")

    def _one(self, kept: _Kept) -> None:
        if self._at == len(self._buffer) and not self._more():
            raise _BrokenError("the file ends inside the next row")
        kept.add(self._buffer[self._at : self._at + 1])
        self._at += 1

    def _more(self) -> bool:
        self._before += len(self._buffer)
        self._buffer, self._at = self._stream.read(_CHUNK), 0
        return bool(self._buffer)


class _Kept:
    """Bytes that are collected as long as they are not too many."""

    def __init__(self, limit: int) -> None:
        self._bytes = bytearray()
        self._limit = limit
        self.size = 0

    def add(self, more: bytes) -> None:
        self.size += len(more)
        if self.size <= self._limit:
            self._bytes += more
        else:
            self._bytes.clear()

    @property
    def value(self) -> bytes | None:
        return bytes(self._bytes) if self.size <= self._limit else None
