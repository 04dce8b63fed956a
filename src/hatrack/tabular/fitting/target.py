"""The column to be predicted: classes or values, and what each error costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hatrack.core.config_tables import TableConfig
from hatrack.core.errors import CheckFailed, ConfigError, DataError
from hatrack.core.names import closest
from hatrack.tabular.fitting.inspect import known_column
from hatrack.tabular.table import Table
from hatrack.tabular.values import is_missing, level_of, number_of, shown

__all__ = ["Target", "read_target", "target_values"]

_FEW = 20  # numbers with at most so many different values are classes
_FEWEST_ROWS = 20


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes:
        classes: names, of two the positive one last; empty for regression.
        costs: [true][chosen], if any were given.
    """

    task: Literal["classification", "regression"]
    classes: tuple[str, ...]
    costs: tuple[tuple[float, ...], ...] | None


def read_target(table: Table, config: TableConfig) -> tuple[Table, Target, list[str]]:
    """The rows that have a target, what it is, and notes.

    Raises:
        ConfigError: no such column, class or cost. CheckFailed: too few rows, or a single class.
    """
    known_column(config.target, table, "target")
    cells = table.columns[config.target]
    kept = [place for place, cell in enumerate(cells) if not is_missing(cell)]
    notes = [f"{len(cells) - len(kept)} rows without a target are left out"] if len(kept) < len(cells) else []
    table = table.take(kept)
    if len(table) < _FEWEST_ROWS:
        raise CheckFailed(
            "there are too few rows to learn from",
            given=f"{len(table)} rows with a target",
            allowed=f"at least {_FEWEST_ROWS}; some hundreds say something",
            fix="add rows, or look whether the right file was given",
        )
    if _task(table.columns[config.target], config) == "regression":
        target_values(table, config.target, ())  # every cell is a number
        return table, Target("regression", (), None), notes
    counts = Counter(str(level_of(cell)) for cell in table.columns[config.target])
    _enough_of_each(counts, config)
    classes = _ordered(counts, config)
    return table, Target("classification", classes, _costs(classes, config)), notes


def target_values(table: Table, column: str, classes: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """[rows] the number of each row's class, or its value.

    Raises:
        DataError: a class that training does not have, or a cell that is no finite number.
    """
    cells = table.columns[column]
    if classes:
        place = {name: float(i) for i, name in enumerate(classes)}
        strange = sorted({str(level_of(cell)) for cell in cells} - set(place))
        if strange:
            raise DataError(
                "the target has classes that training never saw",
                given=", ".join(strange[:8]),
                allowed=", ".join(classes),
                fix="take these rows out, or put some of them into the training rows",
            )
        return np.array([place[str(level_of(cell))] for cell in cells])
    try:
        values = np.array([number_of(cell) for cell in cells], np.float64)
    except ValueError as error:
        raise _no_number(table, column) from error
    if not np.isfinite(values).all():
        raise _no_number(table, column)
    return values


def _no_number(table: Table, column: str) -> DataError:
    def bad(cell: Any) -> bool:
        try:
            return not np.isfinite(number_of(cell))
        except ValueError:
            return True

    rows = [(row, cell) for row, cell in zip(table.numbers, table.columns[column], strict=True) if bad(cell)]
    return DataError(
        f"the target {column} is not a finite number everywhere",
        given="; ".join(f"row {row}: {shown(cell)}" for row, cell in rows[:5]),
        allowed="numbers, or task: classification",
        fix="correct these cells",
    )


def _task(cells: list[Any], config: TableConfig) -> str:
    if config.task != "auto":
        return config.task
    try:
        values = {number_of(cell) for cell in cells}
    except ValueError:
        return "classification"
    return "regression" if len(values) > _FEW else "classification"


def _enough_of_each(counts: Counter[str], config: TableConfig) -> None:
    if len(counts) == 1:
        raise CheckFailed(
            "the target has a single class: there is nothing to tell apart",
            given=f"{next(iter(counts))} in all {counts.total()} rows",
            allowed="at least two classes",
            fix="look whether `target` names the right column and the file holds all rows",
        )
    rare = {name: count for name, count in counts.items() if count < config.split.folds}
    if rare:
        raise CheckFailed(
            "some classes have too few rows for cross-validation",
            given=", ".join(f"{name}: {count}" for name, count in list(rare.items())[:8]),
            allowed=f"at least {config.split.folds} rows of each class",
            fix="add rows, leave these classes out, lower split.folds, or say task: regression where the target is a quantity",
        )


def _ordered(counts: Counter[str], config: TableConfig) -> tuple[str, ...]:
    names = sorted(counts)
    positive = config.positive
    if positive is not None and positive not in counts:
        raise _unknown_class("positive", positive, names)
    if len(names) > 2:
        return tuple(names)
    positive = positive or min(names, key=lambda name: (counts[name], name))
    return (next(name for name in names if name != positive), positive)


def _costs(classes: tuple[str, ...], config: TableConfig) -> tuple[tuple[float, ...], ...] | None:
    if config.costs is None:
        return None
    for actual, row in config.costs.items():
        for name in (actual, *row):
            if name not in classes:
                raise _unknown_class("costs", name, classes)
    given = config.costs
    return tuple(tuple(0.0 if a == b else given.get(a, {}).get(b, 0.0) for b in classes) for a in classes)


def _unknown_class(key: str, name: str, classes: Any) -> ConfigError:
    near = closest(name, classes, 1)
    return ConfigError(
        f"`{key}` names a class that the target does not have",
        given=name,
        allowed=", ".join(classes),
        fix=f"did you mean {near[0]}?" if near else "correct the name in hatrack.yaml",
    )
