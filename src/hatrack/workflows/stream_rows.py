"""A file of new rows with their truth, as a stream: in order of time, completed, the newest ones kept for the test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hatrack.core.config_tables import TableConfig
from hatrack.core.digest import sha256_file
from hatrack.core.errors import CheckFailed, DataError
from hatrack.core.lineage import Manifest
from hatrack.tabular.features.cells import seconds_in
from hatrack.tabular.fitting.fit import Ground
from hatrack.tabular.fitting.target import target_values
from hatrack.tabular.model import TableModel
from hatrack.tabular.read import read_table
from hatrack.tabular.table import Table
from hatrack.tabular.values import is_missing
from hatrack.workflows.table_project import TableProject

__all__ = ["StreamedRows", "read_stream"]


@dataclass(frozen=True)
class StreamedRows:
    """The rows of the stream, in order of time: those that are learned from, and the newest ones, kept for the test."""

    learned: Table
    test: Table
    file: str
    sha256: str
    notes: tuple[str, ...]


def read_stream(at: TableProject, start: Manifest, model: TableModel, file: Path, ground: Ground, test: float) -> StreamedRows:
    """Read the stream for a version; ``test`` is the share of the newest rows that is kept.

    Raises:
        DataError: the file trained the version, has no target, or cells that cannot be used. CheckFailed: a single class.
    """
    digest = sha256_file(file) if file.is_file() else ""
    if digest in start.data.source_files.values():
        raise DataError(
            f"{start.name}@{start.version} was trained on this very file",
            given=file.name,
            allowed="rows that came after it",
            fix="give a file of new rows with their truth",
        )
    table, said = read_table(file, max_rejected=at.table.max_rejected)
    notes = list(said)
    for column in (at.table.target, *at.table.protected):
        if column not in table.columns:
            raise DataError(
                "rows to learn from need their truth" if column == at.table.target else "a protected column is missing",
                given=f"missing: {column}",
                allowed=", ".join(table.columns),
                fix=f"add the column {column}" + (f", or run `hatrack table predict {at.name}`" if column == at.table.target else ""),
            )
    known = [place for place, cell in enumerate(table.columns[at.table.target]) if not is_missing(cell)]
    if len(known) < len(table):
        notes.append(f"{len(table) - len(known)} rows without {at.table.target} are left out")
    table, said = _in_order(at.table, table.take(known), ground)
    notes += said
    at.texts.notes.clear()
    table = model.completed(at.unseen(table, model.card.readings), _raw(ground, model), at.texts.read)
    notes += at.texts.notes
    cut = len(table) - round(test * len(table))
    learned, kept = table.take(range(cut)), table.take(range(cut, len(table)))
    classes = model.card.decision.classes if model.card.decision else ()
    for part, what in ((learned, "rows to learn from"), (kept, "rows kept for the test")):
        counts = np.bincount(target_values(part, at.table.target, classes).astype(int), minlength=2)
        if counts.min() < 2:
            raise CheckFailed(
                f"the {what} hold a single class, or nearly",
                given=", ".join(f"{name}: {count}" for name, count in zip(classes, counts, strict=True)),
                allowed="at least 2 rows of each class",
                fix="give more rows, or another share by --test",
            )
    return StreamedRows(learned, kept, file.name, digest, tuple(notes))


def _in_order(config: TableConfig, table: Table, ground: Ground) -> tuple[Table, list[str]]:
    """Rows by time, where the config says which column that is; else as they stand in the file."""
    if config.split.by != "time":
        return table, ["rows are taken in the order of the file (split.by: time would name a column to order them by)"]
    column = str(config.split.column)
    if column not in table.columns:
        raise DataError("the column is missing that orders the rows", given=f"missing: {column}", allowed=", ".join(table.columns))
    try:
        times = seconds_in(table, column)
    except ValueError as error:
        raise DataError("a time cannot be read", given=str(error), fix="write times as 2026-03-31T14:00, or as numbers") from error
    if np.isnan(times).any():
        row = table.numbers[int(np.flatnonzero(np.isnan(times))[0])]
        raise DataError("a row has no time, so it cannot be put in order", given=f"row {row}, column {column}", fix="add it")
    newest = np.nanmax(seconds_in(ground.train, column))
    old = int((times < newest).sum())
    notes = [f"{old} rows are older than the newest training row"] if old else []
    return table.take(np.argsort(times, kind="stable")), notes


def _raw(ground: Ground, model: TableModel) -> Table:
    """All rows of the project, as windows look back on them; what was computed of them is computed again where it is needed."""
    parts = [part.without([*model.made, *(recipe.name for recipe in model.card.recipes)]) for part in (ground.train, ground.test)]
    columns = {name: [*parts[0].columns[name], *parts[1].columns[name]] for name in parts[0].columns if name in parts[1].columns}
    return Table(columns, [*parts[0].numbers, *parts[1].numbers])
