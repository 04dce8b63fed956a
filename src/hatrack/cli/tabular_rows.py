"""Rows of a file for a stored table model, under their numbers in the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hatrack.cli.screen import progress_console
from hatrack.core.aside import aside

if TYPE_CHECKING:
    from hatrack.tabular.model import TableModel
    from hatrack.tabular.table import Table

__all__ = ["chosen_rows", "opened"]


def opened(project: Path, reference: str, file: Path, history: Path | None) -> tuple[TableModel, Table]:
    """The model, and the rows of a file as it reads them, under their numbers in the file; texts are read by its adapters."""
    from hatrack.core.project import Project
    from hatrack.registry.store import Registry
    from hatrack.serving.tables import stored_table
    from hatrack.tabular.read import read_table
    from hatrack.tabular.table import Table

    at = Project(project.absolute())
    registry = Registry(at)
    _, model = stored_table(registry, reference)
    table, _ = read_table(file)
    before = read_table(history)[0] if history else Table({}, [])
    if not model.card.readings:
        return model, model.completed(table, before)
    from hatrack.core.config_file import read_config
    from hatrack.workflows.table_texts import TableTexts

    console = progress_console()
    texts = TableTexts(at, read_config(project), registry, aside(console))
    return model, model.completed(table, before, texts.read)


def chosen_rows(table: Table, rows: list[int] | None) -> Table:
    """The rows of these numbers; without any, the first.

    Raises:
        DataError: the file has no such row.
    """
    from hatrack.core.errors import DataError

    places = {number: place for place, number in enumerate(table.numbers)}
    wanted = rows or table.numbers[:1]
    for number in wanted:
        if number not in places:
            raise DataError(
                "the file has no row of this number",
                given=f"--row {number}",
                allowed=f"{table.numbers[0]} to {table.numbers[-1]}; in CSV files a row has the number of its line",
            )
    return table.take(places[number] for number in wanted)
