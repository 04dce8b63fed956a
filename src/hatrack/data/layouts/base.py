"""Layouts bring the columns of known data sets to the canonical ones; whatever a row cannot give is a RowFault.

    conversation   messages: [{role, content}, ...]
    preference     messages: the prompt's turns, ending in the user's; chosen, rejected: the two answers
    document       title, text, sections: [{heading, level, text}, ...], source

Other columns pass through; those that a layout used up are gone. What comes of a row keeps its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import ConfigError
from hatrack.core.plugins import Plugins
from hatrack.data.cells import shown
from hatrack.data.records import RawRow, RowFault

__all__ = ["LAYOUTS", "Layout", "Rows", "Yields", "choose_layout", "each_row", "layout_for"]

Rows = Iterator[RawRow | RowFault]
Yields = Literal["columns", "conversation", "preference", "document"]


class Layout(Protocol):
    """One meaning of columns.

    Attributes:
        yields: what its rows become.
    """

    yields: Yields

    def fits(self, columns: Sequence[str], first: Sequence[dict[str, Any]]) -> str | None:
        """The reason in words why these columns are of this layout; None where they are not."""
        ...

    def convert(self, rows: Rows) -> Rows:
        """Rows with canonical columns. Faults pass through.

        Raises:
            DataFileError: the file as a whole cannot be of this layout.
        """
        ...


LAYOUTS: Plugins[type[Layout]] = Plugins(
    "layout",
    {
        "alpaca": "hatrack.data.layouts.alpaca:Alpaca",
        "chat": "hatrack.data.layouts.chat:Chat",
        "columns": "hatrack.data.layouts.columns:AsNamed",
        "document": "hatrack.data.layouts.document:Document",
        "dolly": "hatrack.data.layouts.dolly:Dolly",
        "flan": "hatrack.data.layouts.flan:Flan",
        "hh-rlhf": "hatrack.data.layouts.hh_rlhf:HhRlhf",
        "oasst": "hatrack.data.layouts.oasst:Oasst",
        "oasst-trees": "hatrack.data.layouts.oasst_trees:OasstTrees",
        "preference": "hatrack.data.layouts.preference:Preference",
        "sharegpt": "hatrack.data.layouts.sharegpt:ShareGpt",
        "transcript": "hatrack.data.layouts.transcript:Transcript",
    },
)

_FALLBACK = "columns"


def choose_layout(name: str, first: Sequence[RawRow | RowFault]) -> tuple[str, str]:
    """The layout called ``name``, or for ``auto`` the one that fits the first rows, and why.

    Raises:
        ConfigError: no layout has this name, or two installed ones claim these columns.
    """
    if name != "auto":
        LAYOUTS.get(name)
        return name, f"the {name} layout, as asked for"
    cells = [row.columns for row in first if isinstance(row, RawRow)]
    columns = list(dict.fromkeys(column for row in cells for column in row))
    reasons = {known: LAYOUTS.get(known)().fits(columns, cells) for known in LAYOUTS.names() if cells and known != _FALLBACK}
    fitting = [(known, reason) for known, reason in reasons.items() if reason]
    if len(fitting) > 1:
        raise ConfigError(
            "two layouts fit this file",
            given="; ".join(f"{known}: {reason}" for known, reason in fitting),
            fix=f"say which: data: {{train: FILE, layout: {fitting[0][0]}}}",
        )
    if fitting:
        return fitting[0]
    return _FALLBACK, LAYOUTS.get(_FALLBACK)().fits(columns, cells) or "no columns"


def layout_for(config: AdapterConfig) -> str:
    """The layout that an adapter's rows are read with.

    With ``auto``, columns that the config names itself stay as they are, and so do those of a classifier: it learns
    from a column of the file, not from what a layout would make of it.
    """
    content = {"text", "prompt", "response", "messages", "chosen", "rejected"}
    named = content & config.columns.model_fields_set
    if config.files.layout == "auto" and (named or config.task in ("classify", "classify-by-text")):
        return _FALLBACK
    return config.files.layout


def each_row(rows: Rows, convert: Callable[[dict[str, Any]], dict[str, Any]]) -> Rows:
    """Convert row by row; a ValueError of ``convert`` is that row's fault."""
    for row in rows:
        if isinstance(row, RowFault):
            yield row
            continue
        try:
            yield RawRow(row.number, convert(row.columns))
        except ValueError as error:
            yield RowFault(row.number, str(error), shown(row))
