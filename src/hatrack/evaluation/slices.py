"""One figure for each group of rows: a good mean may hide a country, a label or a length that fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hatrack.core.errors import EvaluationError
from hatrack.core.lineage import Score
from hatrack.core.names import closest
from hatrack.evaluation.metrics.base import Metric, Rows
from hatrack.evaluation.predictions import Predictions
from hatrack.evaluation.statistics import bca_interval, group_p, holm

__all__ = ["FEW", "Slice", "slices"]

FEW = 30  # rows below which a slice says little: the interval of a share is then about 0.35 wide
_LARGEST = 40  # values of one column; an id is no group
_DRAWS = 60  # for each slice: else no p-value could stay small when it is corrected for all of them
_LENGTH, _LABEL = "length", "label"


@dataclass(frozen=True)
class Slice:
    """Rows of one value of one column.

    Attributes:
        score: with its interval; no interval for a single row.
        p: that the rest of the rows does as well, corrected for the number of slices (Holm).
        small: too few rows to say much.
    """

    column: str
    value: str
    rows: int
    score: Score
    p: float
    small: bool


def slices(predictions: Predictions, metric: Metric, rows: Rows, by: Sequence[str], confidence: float, seed: int) -> list[Slice]:
    """The figure over every value of every column in ``by``.

    ``label`` is the expected answer where no column has that name, ``length`` a third of the rows by length of the text.

    Raises:
        EvaluationError: no such column, or one with too many values to be a grouping.
    """
    found: list[tuple[str, str, np.ndarray]] = []
    for column in by:
        values = np.array(_values(predictions, column))
        names = list(dict.fromkeys(values.tolist())) if column == _LENGTH else sorted(set(values.tolist()))
        if len(names) > _LARGEST and column != _LABEL:
            raise EvaluationError(
                f"the column {column!r} has too many values to slice by",
                given=f"{len(names):,} values",
                allowed=f"at most {_LARGEST}",
                fix="slice by a column with groups",
            )
        found += [(column, name, values == name) for name in sorted(names, key=_shortest_first if column == _LENGTH else str)]
    draws = max(1000, _DRAWS * len(found))
    p_values = holm([group_p(metric.total, rows, inside, seed, draws) for _, _, inside in found])
    return [
        _slice(column, name, metric, rows[inside], p, confidence, seed) for (column, name, inside), p in zip(found, p_values, strict=True)
    ]


def _slice(column: str, value: str, metric: Metric, rows: Rows, p: float, confidence: float, seed: int) -> Slice:
    interval = bca_interval(metric.total, rows, confidence, seed) if len(rows) > 1 else None
    return Slice(column, value, len(rows), Score(value=metric.total(rows), interval=interval), p, len(rows) < FEW)


def _values(predictions: Predictions, column: str) -> list[str]:
    known = sorted({name for row in predictions.columns for name in row})
    if column in known:
        return ["" if row.get(column) is None else str(row[column]) for row in predictions.columns]
    if column == _LABEL:
        return list(predictions.expected)
    if column == _LENGTH:
        return _thirds([_length(row, expected) for row, expected in zip(predictions.columns, predictions.expected, strict=True)])
    near = closest(column, [*known, _LABEL, _LENGTH], 1)
    raise EvaluationError(
        f"there is no column {column!r} to slice by",
        given=column,
        allowed=", ".join([*known, _LABEL, _LENGTH]),
        fix=f"did you mean {near[0]}?" if near else "",
    )


def _length(row: Mapping[str, Any], expected: str) -> int:
    """Words of what was asked, where the file has it, else of what was expected."""
    asked = next((row[name] for name in ("text", "prompt", "question", "input") if row.get(name)), expected)
    return len(str(asked).split())


def _thirds(lengths: Sequence[int]) -> list[str]:
    low, high = np.quantile(lengths, [1 / 3, 2 / 3])
    names = (f"up to {low:.0f} words", f"up to {high:.0f} words", "longer")
    return [names[0] if length <= low else names[1] if length <= high else names[2] for length in lengths]


def _shortest_first(name: str) -> tuple[bool, int]:
    return (name == "longer", int(name.split()[2]) if name != "longer" else 0)
