"""All columns of a table to one matrix, and every fault on the way; the record of it lies in the model's file."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from hatrack.core.errors import DataError
from hatrack.core.names import closest
from hatrack.tabular.columns.base import Array
from hatrack.tabular.columns.category import Category
from hatrack.tabular.columns.date import Date
from hatrack.tabular.columns.number import Number
from hatrack.tabular.columns.text import Text
from hatrack.tabular.columns.vector import Vector
from hatrack.tabular.faults import CellFault, CellFaults, CellNote
from hatrack.tabular.table import Table
from hatrack.tabular.values import is_missing, shown

__all__ = ["AnyColumn", "Encoding"]

AnyColumn = Annotated[Number | Category | Date | Text | Vector, Field(discriminator="kind")]


class Encoding(BaseModel):
    """The columns that a model reads, in the order of its features."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[AnyColumn, ...]

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of all features, in the order of the matrix."""
        return tuple(feature for column in self.columns for feature in column.features)

    @cached_property
    def owner(self) -> npt.NDArray[np.int64]:
        """[features] the number of the column that each comes from."""
        return np.repeat(np.arange(len(self.columns)), [len(column.features) for column in self.columns])

    def column(self, name: str) -> AnyColumn:
        """A column by name.

        Raises:
            DataError: the model reads no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        names = [column.name for column in self.columns]
        near = closest(name, names, 1)
        raise DataError(
            f"the model reads no column {name!r}",
            given=name,
            allowed=", ".join(names),
            fix=f"did you mean {near[0]}?" if near else "choose one of these",
        )

    def encode(self, table: Table) -> Array:
        """``[rows, features]``.

        Raises:
            DataError: a column is missing. CellFaults: cells that cannot be used, all of them.
        """
        self._all_there(table)
        try:
            parts = [column.encode(table.columns[column.name]) for column in self.columns]
        except ValueError:
            parts = []
        # infinite is all that encodes and yet is a fault: one look at the matrix tells it
        if not parts or any(np.isinf(part).any() for part in parts):
            raise CellFaults(self.faults(table), len(table))
        return np.hstack(parts)

    def faults(self, table: Table) -> list[CellFault]:
        """Every cell that cannot be used, row by row."""
        found = []
        for place, row in enumerate(table.numbers):
            for column in self.columns:
                cell = table.columns[column.name][place]
                if (reason := column.fault(cell)) is not None:
                    found.append(CellFault(row, column.name, reason, shown(cell)))
        return found

    def notes(self, table: Table) -> list[CellNote]:
        """What is remarkable in cells that can be used: unseen levels, numbers outside the range of training."""
        found = []
        for column in self.columns:
            for row, cell in zip(table.numbers, table.columns[column.name], strict=True):
                if (note := column.note(cell)) is not None:
                    found.append(CellNote(row, column.name, note))
        return sorted(found, key=lambda note: note.row)

    def _all_there(self, table: Table) -> None:
        absent = [column.name for column in self.columns if column.name not in table.columns]
        if not absent:
            return
        unknown = [name for name in table.columns if name not in {column.name for column in self.columns}]
        near = next(((name, close[0]) for name in absent if (close := closest(name, unknown, 1))), None)
        raise DataError(
            f"{'columns are' if len(absent) > 1 else 'a column is'} missing that the model reads",
            given=f"missing: {', '.join(absent)}" + (f"; unknown: {', '.join(unknown[:8])}" if unknown else ""),
            allowed=", ".join(column.name for column in self.columns),
            fix=f"is {near[1]} meant to be {near[0]}?" if near else "add them; a cell may be empty, a column may not be absent",
        )

    def is_empty(self, table: Table, column: str) -> bool:
        """Whether nothing stands in any row of a column."""
        return all(is_missing(cell) for cell in table.columns[column])
