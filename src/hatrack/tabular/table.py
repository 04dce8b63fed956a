"""A table in memory, by columns: cells as they were read, and the number that each row has in its file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """Columns of the same length.

    Attributes:
        numbers: the row numbers that messages use.
    """

    columns: dict[str, list[Any]]
    numbers: list[int]

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, Any]], numbers: Iterable[int] | None = None) -> Self:
        """From records; a key that a record lacks is an empty cell of it."""
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names}
        return cls(columns, list(numbers) if numbers is not None else list(range(1, len(rows) + 1)))

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self) -> list[dict[str, Any]]:
        """As records."""
        return [dict(zip(self.columns, cells, strict=True)) for cells in zip(*self.columns.values(), strict=True)]

    def take(self, chosen: Iterable[int]) -> Table:
        """The rows at these places, in this order."""
        places = [int(place) for place in chosen]
        columns = {name: [cells[place] for place in places] for name, cells in self.columns.items()}
        return Table(columns, [self.numbers[place] for place in places])

    def with_columns(self, more: Mapping[str, list[Any]]) -> Table:
        """The same rows with more columns, or others under the same names."""
        return Table({**self.columns, **more}, self.numbers)

    def without(self, names: Iterable[str]) -> Table:
        """The same rows without some columns."""
        gone = set(names)
        return Table({name: cells for name, cells in self.columns.items() if name not in gone}, self.numbers)
