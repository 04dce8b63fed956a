"""What each column is: kinds guessed, targets read, and columns set aside with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from hatrack.core.config_tables import TableColumn, TableConfig
from hatrack.core.errors import CheckFailed, ConfigError, DataError
from hatrack.core.names import closest
from hatrack.tabular.table import Table
from hatrack.tabular.values import is_missing, level_of, number_of, shown, time_of

__all__ = ["ColumnKind", "Inspection", "inspect_columns", "known_column"]

ColumnKind = TableColumn | Literal["vector"]

_ID = re.compile(r"(^|[_\s.-])(id|uuid|guid|key|nr|no|number|ref)$|^id[_\s.-]", re.IGNORECASE)
_NEARLY_ALL = 0.9  # so many cells that are numbers, and the others are mistakes
_WORDS = 4  # texts have at least so many words, on average


@dataclass
class Inspection:
    """Kinds of the columns that the model reads, columns set aside with the reason, and what else was noticed."""

    kinds: dict[str, ColumnKind] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def inspect_columns(table: Table, config: TableConfig, vectors: Collection[str] = ()) -> tuple[Table, Inspection]:
    """Guess every column's kind; infinite numbers become empty cells, which is noted.

    Args:
        vectors: columns that hold vectors.

    Raises:
        ConfigError: the config names a column that is not there. DataError: a column of numbers with a few cells that
            are none. CheckFailed: no column is left.
    """
    for key, names in (
        ("columns", [*config.columns]),
        ("ignore", config.ignore),
        ("protected", config.protected),
        ("fixed", config.fixed),
        ("monotone", [*config.monotone]),
        ("allow_leaks", config.allow_leaks),
    ):
        for name in names:
            known_column(name, table, key)
    found = Inspection()
    for name, cells in table.columns.items():
        if name == config.target:
            continue
        if name in config.ignore:
            found.aside[name] = "ignored, as the config says"
        elif name == config.split.column and name not in config.columns:
            found.aside[name] = f"it divides the rows (split by {config.split.by})"
        elif name in vectors:
            found.kinds[name] = "vector"
        else:
            _look(name, cells, table, config.columns.get(name), found)
    for name in found.kinds:
        if found.kinds[name] == "number":
            table = _without_infinities(name, table, found)
    if not found.kinds:
        raise CheckFailed(
            "no column is left to predict from",
            given="; ".join(f"{name}: {reason}" for name, reason in found.aside.items()),
            allowed="at least one column that varies",
            fix="look at the file, or say with `columns` what a column is",
        )
    return table, found


def known_column(name: str, table: Table, key: str) -> None:
    """Refuse a column that is not in the file.

    Raises:
        ConfigError: with the nearest one.
    """
    if name not in table.columns:
        near = closest(name, table.columns, 1)
        raise ConfigError(
            f"`{key}` names a column that is not in the data",
            given=name,
            allowed=", ".join(table.columns),
            fix=f"did you mean {near[0]}?" if near else "correct the name in hatrack.yaml",
        )


def _look(name: str, cells: Sequence[Any], table: Table, wanted: TableColumn | None, found: Inspection) -> None:
    there = [cell for cell in cells if not is_missing(cell)]
    if not there:
        found.aside[name] = "empty in every row"
    elif any(isinstance(cell, list | dict) for cell in there):
        found.aside[name] = "holds lists or objects"
    elif len({level_of(cell) for cell in there}) == 1 and len(there) == len(cells):
        found.aside[name] = f"the same in every row: {shown(there[0])}"
    elif wanted is not None:
        _as_asked(name, wanted, table)
        found.kinds[name] = wanted
    else:
        kind = _guess(name, there, table)
        if kind == "id":
            found.aside[name] = "an id: different in every row"
        else:
            found.kinds[name] = kind


def _guess(name: str, there: list[Any], table: Table) -> Any:
    if all(isinstance(cell, bool) for cell in there):
        return "category"
    numbers = [_reads(number_of, cell) for cell in there]
    if all(numbers):
        return "id" if _counts_rows(name, [number_of(cell) for cell in there]) else "number"
    if np.mean(numbers) >= _NEARLY_ALL:
        _refuse_mixture(name, table)
    if all(_reads(time_of, cell) for cell in there):
        return "date"
    texts = [str(cell) for cell in there]
    different = len(set(texts)) / len(texts)
    if different > 0.5 and np.mean([len(text.split()) for text in texts]) >= _WORDS:
        return "text"
    return "id" if different > 0.95 and len(texts) >= 20 else "category"


def _counts_rows(name: str, values: list[float]) -> bool:
    """Whole numbers, all different, that are named like an id or simply count on."""
    if len(values) < 20 or len(set(values)) < len(values) or not all(value.is_integer() for value in values):
        return False
    ordered = sorted(values)
    return bool(_ID.search(name)) or ordered[-1] - ordered[0] == len(values) - 1


def _as_asked(name: str, wanted: TableColumn, table: Table) -> None:
    read: dict[str, Callable[[Any], object]] = {"number": number_of, "date": time_of}
    if wanted in read:
        bad = [(row, cell) for row, cell in zip(table.numbers, table.columns[name], strict=True) if not _reads(read[wanted], cell)]
        if bad:
            raise DataError(
                f"the column {name} is no column of {wanted}s",
                given="; ".join(f"row {row}: {shown(cell)}" for row, cell in bad[:5]) + (f"; {len(bad)} in all" if len(bad) > 5 else ""),
                allowed=f"a {wanted} in every cell, or nothing",
                fix=f"correct these cells, or take `{name}: {wanted}` out of `columns`",
            )


def _refuse_mixture(name: str, table: Table) -> None:
    bad = [(row, cell) for row, cell in zip(table.numbers, table.columns[name], strict=True) if not _reads(number_of, cell)]
    raise DataError(
        f"the column {name} holds numbers, but for {len(bad)} cells",
        given="; ".join(f"row {row}: {shown(cell)}" for row, cell in bad[:5]),
        allowed="numbers, or nothing, in all of them",
        fix=f"correct these cells, or say columns: {{{name}: category}}",
    )


def _reads(read: Callable[[Any], object], cell: Any) -> bool:
    try:
        read(cell)
    except ValueError:
        return False
    return True


def _without_infinities(name: str, table: Table, found: Inspection) -> Table:
    cells = table.columns[name]
    infinite = [place for place, cell in enumerate(cells) if np.isinf(number_of(cell))]
    if not infinite:
        return table
    rows = ", ".join(str(table.numbers[place]) for place in infinite[:5])
    found.notes.append(
        f"column {name}: {len(infinite)} infinite values count as missing (row {rows}{', ...' if len(infinite) > 5 else ''})"
    )
    gone = set(infinite)
    return table.with_columns({name: [None if place in gone else cell for place, cell in enumerate(cells)]})
