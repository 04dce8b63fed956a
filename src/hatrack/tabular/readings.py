"""Columns read out of texts: an adapter's label probabilities, or an embedder's vectors; always by the one that training used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from hatrack.core.errors import DataError
from hatrack.core.names import closest
from hatrack.tabular.faults import CellFault, CellFaults
from hatrack.tabular.scorers.base import Array
from hatrack.tabular.table import Table
from hatrack.tabular.values import is_missing, shown, text_of

__all__ = ["Reading", "TextReader", "TextScore", "TextVectors", "with_readings"]

_DIGITS = 4  # what lies behind is noise of the order in which sums were taken


class TextScore(BaseModel):
    """One text column and who reads it.

    Attributes:
        name: what its columns begin with.
        column: the column of texts.
        adapter: NAME@VERSION, for people.
        digest: the identity of that version; what counts.
        labels: those of the adapter's labels that become columns.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    column: str
    adapter: str
    digest: str
    labels: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are made, one for each label."""
        return tuple(f"{self.name}: {label}" for label in self.labels)

    @property
    def reader(self) -> str:
        """Who reads, for people."""
        return self.adapter

    def cells(self, found: Array) -> tuple[Any, ...]:
        """One text's probabilities ``[labels]`` as the cells of its columns."""
        return tuple(round(float(value), _DIGITS) for value in found)


class TextVectors(BaseModel):
    """One text column as vectors of an embedder, in a single column of the table's.

    Attributes:
        name: of the column that is made; its cells are lists of numbers.
        column: the column of texts.
        embedder: as the config names it.
        fingerprint: changes whenever the same text would get another vector.
        parts: how many numbers the model sees: the directions in which the training rows differ most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    column: str
    embedder: str
    fingerprint: str
    parts: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column that is made."""
        return (self.name,)

    @property
    def reader(self) -> str:
        """Who reads, for people."""
        return self.embedder

    def cells(self, found: Array) -> tuple[Any, ...]:
        """One vector as the cell of its column."""
        return ([round(float(value), _DIGITS) for value in found],)


Reading = TextScore | TextVectors


class TextReader(Protocol):
    """Whoever has the base, the adapters and the embedders: a server's service, or a pool of this process."""

    def __call__(self, reading: Reading, texts: Sequence[str]) -> Array:
        """``[texts, labels]`` probabilities, or ``[texts, d]`` vectors.

        Raises:
            AdapterMismatch: the version of ``digest``, or the embedder of ``fingerprint``, is not here, so nobody can say
                what training saw.
        """
        ...


def with_readings(readings: Sequence[Reading], table: Table, read: TextReader | None) -> Table:
    """The table with the columns of all readings; nothing is known of an empty cell.

    A text that stands in several rows is read once.

    Raises:
        DataError: the column of texts is missing, the rows bring the made columns along (who made them cannot be
            checked), or nobody is here who could read. CellFaults: a cell is no text. AdapterMismatch: see ``TextReader``.
    """
    for reading in readings:
        brought = [name for name in reading.columns if name in table.columns]
        if brought:
            raise DataError(
                f"these columns are read out of {reading.column} by {reading.reader}, and cannot be brought along",
                given=", ".join(brought),
                allowed=f"rows with the column {reading.column}, without these",
                fix="leave them out, or choose another name in hatrack.yaml",
            )
        if reading.column not in table.columns:
            near = closest(reading.column, table.columns, 1)
            raise DataError(
                f"the column is missing that {reading.reader} reads",
                given=f"missing: {reading.column}",
                allowed=", ".join(table.columns),
                fix=f"is {near[0]} meant to be {reading.column}?" if near else "add it; a cell may be empty, a column may not be absent",
            )
        if read is None:
            raise DataError("the texts of this table must be read, and nobody here can", given=f"{reading.column} by {reading.reader}")
        table = table.with_columns(_columns(reading, table, read))
    return table


def _columns(reading: Reading, table: Table, read: TextReader) -> dict[str, list[Any]]:
    cells = table.columns[reading.column]
    faults = [
        CellFault(row, reading.column, "a list or an object cannot be a text", shown(cell))
        for row, cell in zip(table.numbers, cells, strict=True)
        if isinstance(cell, list | dict)
    ]
    if faults:
        raise CellFaults(faults, len(table))
    texts = [None if is_missing(cell) else text_of(cell) for cell in cells]
    different = list(dict.fromkeys(text for text in texts if text is not None))
    found = read(reading, different) if different else ()
    made = {text: reading.cells(row) for text, row in zip(different, found, strict=True)}
    empty = (None,) * len(reading.columns)
    rows = [empty if text is None else made[text] for text in texts]
    return {name: [row[place] for row in rows] for place, name in enumerate(reading.columns)}
