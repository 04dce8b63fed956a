"""Columns that an adapter reads out of a text: the probability of each of its labels, always by the version that training used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from hatrack.core.errors import DataError
from hatrack.core.names import closest
from hatrack.tabular.faults import CellFault, CellFaults
from hatrack.tabular.scorers.base import Array
from hatrack.tabular.table import Table
from hatrack.tabular.values import is_missing, shown, text_of

__all__ = ["TextReader", "TextScore", "with_text_scores"]

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


class TextReader(Protocol):
    """Whoever has the base and the adapters: a server's service, or a pool of this process."""

    def __call__(self, score: TextScore, texts: Sequence[str]) -> Array:
        """``[texts, labels]`` probabilities.

        Raises:
            AdapterMismatch: the version of ``score.digest`` is not here, so nobody can say what training saw.
        """
        ...


def with_text_scores(scores: Sequence[TextScore], table: Table, read: TextReader | None) -> Table:
    """The table with the columns of all scores; nothing is known of an empty cell.

    A text that stands in several rows is read once.

    Raises:
        DataError: the column of texts is missing, the rows bring the made columns along (who made them cannot be
            checked), or nobody is here who could read. CellFaults: a cell is no text. AdapterMismatch: see ``TextReader``.
    """
    for score in scores:
        brought = [name for name in score.columns if name in table.columns]
        if brought:
            raise DataError(
                f"these columns are read out of {score.column} by {score.adapter}, and cannot be brought along",
                given=", ".join(brought),
                allowed=f"rows with the column {score.column}, without these",
                fix="leave them out, or choose another name under text_scores",
            )
        if score.column not in table.columns:
            near = closest(score.column, table.columns, 1)
            raise DataError(
                f"the column is missing that {score.adapter} reads",
                given=f"missing: {score.column}",
                allowed=", ".join(table.columns),
                fix=f"is {near[0]} meant to be {score.column}?" if near else "add it; a cell may be empty, a column may not be absent",
            )
        if read is None:
            raise DataError(
                "this table needs an adapter to read its texts, and none can be run here", given=f"{score.column} by {score.adapter}"
            )
        table = table.with_columns(_columns(score, table, read))
    return table


def _columns(score: TextScore, table: Table, read: TextReader) -> dict[str, list[float | None]]:
    cells = table.columns[score.column]
    faults = [
        CellFault(row, score.column, "a list or an object cannot be a text", shown(cell))
        for row, cell in zip(table.numbers, cells, strict=True)
        if isinstance(cell, list | dict)
    ]
    if faults:
        raise CellFaults(faults, len(table))
    texts = [None if is_missing(cell) else text_of(cell) for cell in cells]
    different = list(dict.fromkeys(text for text in texts if text is not None))
    found = np.round(read(score, different), _DIGITS) if different else np.empty((0, len(score.labels)))
    place = {text: i for i, text in enumerate(different)}
    return {
        name: [None if text is None else float(found[place[text], label]) for text in texts] for label, name in enumerate(score.columns)
    }
