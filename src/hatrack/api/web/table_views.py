"""What the page shows of table models: what counts in each, a field for every column, and one row's reasons as bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hatrack.api.context import Context
from hatrack.api.errors import Refusal
from hatrack.api.keys import Caller
from hatrack.core.errors import DataError
from hatrack.core.lineage import Manifest
from hatrack.tabular.columns.category import Category
from hatrack.tabular.columns.text import Text
from hatrack.tabular.explaining.reasons import Explanation, explain_rows
from hatrack.tabular.faults import CellFaults
from hatrack.tabular.model import TableModel

__all__ = ["Bar", "Cell", "TableView", "bars_of", "explained_row", "table_views"]

_MOST = 12  # bars of one picture
_CHOICES = 40  # levels that are offered to choose from; of more, one is typed


@dataclass(frozen=True)
class Bar:
    """One line of a picture. ``share``: its length, from -1 to 1, of the longest one."""

    label: str
    value: float
    share: float


@dataclass(frozen=True)
class Cell:
    """One field of the form. ``levels``: what to choose from; empty where anything may be typed."""

    name: str
    long: bool = False
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableView:
    """One table that the caller may use, as the version that its name means now."""

    name: str
    version: str
    about: str
    score: str
    cells: tuple[Cell, ...]
    bars: tuple[Bar, ...]


def table_views(context: Context, caller: Caller) -> Iterator[TableView]:
    """All tables of the caller. Reads the registry, and the models from disk at first."""
    for name in filter(caller.may_use, context.tables.names()):
        manifest = context.tables.resolve(name)
        report = context.service.registry.report(manifest)
        says = " or ".join(manifest.config["classes"]) or "a number"
        score = report.system("adapter").scores[report.metric].value if report else 0.0
        yield TableView(
            name,
            manifest.version,
            about=f"{manifest.config['method']} model of {manifest.config['target']} ({says})",
            score=f"{report.metric} {score:.3f} on {report.rows:,} test rows" if report else "",
            cells=tuple(_cells(context.tables.get(manifest))),
            bars=bars_of(report.importance) if report else (),
        )


def explained_row(context: Context, manifest: Manifest, row: Mapping[str, str]) -> Explanation:
    """The score of one row and its reasons. Empty fields are missing values.

    Raises:
        Refusal: cells that cannot be used, all of them named, or columns that are not there.
    """
    model = context.tables.get(manifest)
    try:
        (found,) = explain_rows(model, model.table([row], read=context.texts))
    except CellFaults as error:
        told = "; ".join(f"{fault.column}: {fault.reason}, given {fault.given!r}" for fault in error.faults)
        raise Refusal(400, error.what, code="invalid_rows", param="rows", given=told, fix="correct these fields") from error
    except DataError as error:
        raise Refusal(
            400, error.what, code="invalid_rows", param="rows", given=error.given, allowed=error.allowed, fix=error.fix
        ) from error
    return found


def bars_of(values: Mapping[str, float]) -> tuple[Bar, ...]:
    """The largest first, and the sum of what is left over as the last one."""
    ordered = sorted(values.items(), key=lambda pair: -abs(pair[1]))
    shown = dict(ordered[:_MOST])
    if len(ordered) > _MOST:
        shown[f"{len(ordered) - _MOST} other columns"] = sum(value for _, value in ordered[_MOST:])
    longest = max(map(abs, shown.values()), default=0.0) or 1.0
    return tuple(Bar(label, value, value / longest) for label, value in shown.items())


def _cells(model: TableModel) -> Iterator[Cell]:
    columns = {column.name: column for column in model.card.encoding.columns}
    for name in model.card.inputs:
        column = columns.get(name)
        few = isinstance(column, Category) and len(column.levels) <= _CHOICES
        yield Cell(name, long=isinstance(column, Text), levels=column.levels if few and isinstance(column, Category) else ())
