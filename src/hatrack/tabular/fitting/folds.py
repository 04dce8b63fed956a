"""Which rows train, which validate, which test: stratified at random, by time, or by group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit, train_test_split

from hatrack.core.config_tables import TableConfig
from hatrack.core.errors import CheckFailed, DataError
from hatrack.tabular.features.cells import seconds_in
from hatrack.tabular.fitting.inspect import known_column
from hatrack.tabular.table import Table
from hatrack.tabular.values import level_of

__all__ = ["divide", "folds_of"]

Places = npt.NDArray[np.int64]


def divide(table: Table, target: npt.NDArray[np.float64], config: TableConfig, *, classes: int) -> tuple[Places, Places]:
    """Places of the training rows and of the test rows.

    Raises:
        ConfigError: the split's column is not there. CheckFailed: a part would be empty.
    """
    split = config.split
    if split.by == "random":
        train, test = train_test_split(
            np.arange(len(table)), test_size=split.test, random_state=config.seed, stratify=target if classes else None
        )
        return np.sort(train), np.sort(test)
    if split.by == "time":
        times = _times(table, config)
        cut = np.quantile(times, 1 - split.test, method="higher")  # rows of one moment stay together
        train, test = np.flatnonzero(times < cut), np.flatnonzero(times >= cut)
    else:
        groups = np.unique(_groups(table, config))
        if len(groups) < 2:
            raise CheckFailed("there is a single group: it cannot be divided", given=str(groups[0]), fix="split by another column")
        chosen = np.random.default_rng(config.seed).permutation(groups)[: max(1, round(split.test * len(groups)))]
        inside = np.isin(_groups(table, config), chosen)
        train, test = np.flatnonzero(~inside), np.flatnonzero(inside)
    if not len(train) or not len(test) or (classes and len(np.unique(target[train])) < classes):
        raise CheckFailed(
            f"a split by {split.by} leaves nothing to learn from",
            given=f"{len(train)} training rows, {len(test)} test rows",
            allowed="every class among the training rows",
            fix="change split.test, or give a test file of its own",
        )
    return train, test


def folds_of(table: Table, target: npt.NDArray[np.float64], config: TableConfig, *, classes: int) -> list[tuple[Places, Places]]:
    """Training and held-out rows of each fold; by time, each fold is held out from all that came before it."""
    count, by = config.split.folds, config.split.by
    if by == "time":
        order = np.argsort(_times(table, config), kind="stable")
        parts = [(order[a], order[b]) for a, b in TimeSeriesSplit(count).split(order)]
        # early folds may lack a class; at least the last ones must not
        usable = [(a, b) for a, b in parts if not classes or len(np.unique(target[a])) == len(np.unique(target[b])) == classes]
        if not usable:
            raise CheckFailed("no fold by time holds every class", given=f"{count} folds", fix="use fewer folds, or more rows")
        return usable
    if by == "group":
        groups = _groups(table, config)
        count = min(count, len(np.unique(groups)))
        if count < 2:
            raise CheckFailed("a single group is left for training", given="1 group", allowed="at least 2", fix="split by another column")
        chosen = StratifiedGroupKFold(count, shuffle=True, random_state=config.seed) if classes else GroupKFold(count)
        return list(chosen.split(np.zeros(len(target)), target, groups))
    kind = StratifiedKFold if classes else KFold
    return list(kind(count, shuffle=True, random_state=config.seed).split(np.zeros(len(target)), target))


def _times(table: Table, config: TableConfig) -> npt.NDArray[np.float64]:
    column = str(config.split.column)
    known_column(column, table, "split.column")
    try:
        times = seconds_in(table, column)
    except ValueError as error:
        raise DataError("a time cannot be read", given=str(error), fix="write times as 2026-03-31T14:00, or as numbers") from error
    if np.isnan(times).any():
        row = table.numbers[int(np.flatnonzero(np.isnan(times))[0])]
        raise DataError("a row has no time, so it cannot be put in order", given=f"row {row}, column {column}", fix="add it")
    return times


def _groups(table: Table, config: TableConfig) -> npt.NDArray[np.str_]:
    column = str(config.split.column)
    known_column(column, table, "split.column")
    # a row without a group is a group of its own
    return np.array([level_of(cell) or f"row {row}" for row, cell in zip(table.numbers, table.columns[column], strict=True)])
