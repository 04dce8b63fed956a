"""What makes a computed column, and where each is found. Users add theirs by the entry-point group hatrack.table_feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hatrack.core.config_tables import TableFeature
from hatrack.core.errors import ConfigError, DataError
from hatrack.core.names import closest
from hatrack.core.plugins import Plugins
from hatrack.tabular.table import Table

__all__ = ["TABLE_FEATURES", "Feature", "computed"]


class Feature(Protocol):
    """One way to compute a column."""

    def check(self, recipe: TableFeature) -> str | None:
        """What is wrong with these settings; None where nothing is."""
        ...

    def values(self, recipe: TableFeature, table: Table, before: Table) -> list[Any]:
        """One cell for each row of ``table``; ``before`` holds earlier rows that may be looked back on.

        A cell may hang on its own row and on rows that are earlier in time, never on later ones. What cannot be computed
        is None.

        Raises:
            ValueError: a cell cannot be used, said with its row and column.
        """
        ...


TABLE_FEATURES: Plugins[type[Feature]] = Plugins(
    "table_feature",
    {
        "window": "hatrack.tabular.features.window:Window",
        "since-last": "hatrack.tabular.features.window:SinceLast",
        "ratio": "hatrack.tabular.features.arithmetic:Ratio",
        "difference": "hatrack.tabular.features.arithmetic:Difference",
        "log": "hatrack.tabular.features.arithmetic:Log",
    },
)


def computed(recipes: Sequence[TableFeature], table: Table, before: Table) -> Table:
    """The table with its computed columns, made in order: a later one may use an earlier one.

    A column that the rows bring along already is taken as it is, so a caller may compute windows elsewhere.

    Raises:
        ConfigError: a recipe does not fit its feature. DataError: a column or a cell that it needs is missing or wrong.
    """
    for recipe in recipes:
        if recipe.name in table.columns:
            continue
        feature = TABLE_FEATURES.get(recipe.make)()
        if (fault := feature.check(recipe)) is not None:
            raise ConfigError(f"the feature {recipe.name!r} cannot be made", given=f"make: {recipe.make}", allowed=fault)
        needed = [*recipe.of, *filter(None, (recipe.by, recipe.time))]
        absent = [name for name in needed if name not in table.columns]
        if absent:
            near = closest(absent[0], table.columns, 1)
            raise DataError(
                f"the feature {recipe.name!r} is made of a column that is not there",
                given=", ".join(absent),
                allowed=", ".join(table.columns),
                fix=f"did you mean {near[0]}?" if near else "add the column, or give the feature itself as one",
            )
        earlier = before if all(name in before.columns for name in needed) else Table({name: [] for name in needed}, [])
        try:
            cells = feature.values(recipe, table, earlier)
        except ValueError as error:
            raise DataError(f"the feature {recipe.name!r} cannot be computed", given=str(error), fix="correct this cell") from error
        table = table.with_columns({recipe.name: cells})
        if earlier.numbers:
            before = before.with_columns({recipe.name: feature.values(recipe, earlier, Table({name: [] for name in needed}, []))})
    return table
