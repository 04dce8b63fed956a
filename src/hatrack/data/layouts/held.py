"""Rows of a file that belong together and may stand anywhere in it: held in memory, up to a stated limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from hatrack.core.errors import DataFileError

__all__ = ["MOST_BYTES", "Held"]

MOST_BYTES = 2_000_000_000
_OVERHEAD = 400  # bytes that Python needs for a row beside its text

T = TypeVar("T")


class Held(Generic[T]):
    """Groups of rows by key, in the order in which the keys came."""

    def __init__(self) -> None:
        self._groups: dict[str, list[T]] = {}
        self._bytes = 0

    def add(self, key: str, row: T, characters: int) -> None:
        """Keep one row.

        Raises:
            DataFileError: the file is too large to be put together in memory.
        """
        self._bytes += characters + _OVERHEAD
        if self._bytes > MOST_BYTES:
            raise DataFileError(
                "the conversations of this file are too large to be put together in memory",
                given=f"more than {MOST_BYTES:,} bytes of turns",
                allowed=f"{MOST_BYTES:,} bytes, because the turns of a conversation may stand anywhere",
                fix="divide the file, with whole conversations in each part",
            )
        self._groups.setdefault(key, []).append(row)

    def get(self, key: str) -> list[T]:
        """The rows of one key."""
        return self._groups.get(key, [])

    def groups(self) -> Iterator[tuple[str, list[T]]]:
        """Every key with its rows; what was given is no longer held."""
        for key in list(self._groups):
            yield key, self._groups.pop(key)
