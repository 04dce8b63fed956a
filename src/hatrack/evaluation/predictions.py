"""Predictions in a file: one row for each answer, with what would have been right. The scorer needs nothing else.

    {"id": "q1", "prediction": "yes", "expected": "no", "country": "FR", "confidence": 0.7, "context": "..."}

Any reader of ``hatrack.data.readers`` will do. What is right may also stand in a file of its own, joined by ``id``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hatrack.core.atomic import write_text
from hatrack.core.errors import EvaluationError, RowErrors
from hatrack.core.names import closest
from hatrack.data.readers.base import open_rows
from hatrack.data.records import RowFault

__all__ = ["Names", "Predictions", "join", "read_predictions", "read_verdicts", "write_predictions"]

_SHOWN = 5


@dataclass(frozen=True)
class Names:
    """Which column plays which part."""

    prediction: str = "prediction"
    expected: str = "expected"
    id: str = "id"


@dataclass(frozen=True)
class Predictions:
    """Answers and what would have been right, row by row.

    Attributes:
        ids: unique.
        columns: all that the row said, for slices and for metrics that need more than two texts.
    """

    ids: tuple[str, ...]
    given: tuple[str, ...]
    expected: tuple[str, ...]
    columns: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.ids)


def read_predictions(path: Path, names: Names | None = None, gold: Path | None = None) -> Predictions:
    """Read a file of predictions.

    Args:
        gold: the file with the expected answers, if they stand in another one; all of its rows must be answered.

    Raises:
        DataFileError: a file is missing, empty or not readable.
        RowErrors: rows without an id where one is needed, an id twice, a missing prediction or expected answer.
        EvaluationError: a column is not there.
    """
    names = names or Names()
    rows = _rows(path)
    if gold is not None:
        rows = _with_gold(rows, _rows(gold), names, path)
    for part, column in (("prediction", names.prediction), ("expected", names.expected)):
        _check_column(path, rows, column, part)
    faults = []
    for number, row in rows:
        lacking = [column for column in (names.prediction, names.expected) if row.get(column) is None]
        if lacking:
            faults.append((number, f"no {' and no '.join(lacking)}"))
    if faults:
        raise RowErrors(
            f"{path.name}: rows without a prediction or without what was expected",
            rows=tuple(faults),
            allowed='a text for each; "" is an answer too',
            fix="let the system answer these rows too; an empty answer is an answer, and wrong",
        )
    ids = [str(row[names.id]) if row.get(names.id) is not None else f"row-{number}" for number, row in rows]
    _check_unique(path, ids)
    return Predictions(
        tuple(ids),
        tuple(str(row[names.prediction]).strip() for _, row in rows),
        tuple(str(row[names.expected]).strip() for _, row in rows),
        tuple(row for _, row in rows),
    )


def write_predictions(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a file that ``read_predictions`` reads; whole or not at all. Each row has id, prediction and expected.

    Raises:
        StorageError: it cannot be written.
    """
    write_text(path, "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows))


def join(ours: Predictions, theirs: Predictions, names: tuple[str, str]) -> tuple[Predictions, Predictions]:
    """Both in the order of the first.

    Raises:
        EvaluationError: they do not hold the same rows, or expect different answers to one.
    """
    place = {name: i for i, name in enumerate(theirs.ids)}
    lacking, strange = [one for one in ours.ids if one not in place], sorted(set(place) - set(ours.ids))
    if lacking or strange:
        raise EvaluationError(
            "the two sides did not answer the same rows",
            given="; ".join(
                f"{len(ids)} only in {name}: {', '.join(ids[:_SHOWN])}" for name, ids in ((names[0], lacking), (names[1], strange)) if ids
            ),
            allowed="the same ids on both sides",
            fix="let both answer the same file",
        )
    order = [place[one] for one in ours.ids]
    other = Predictions(
        ours.ids,
        tuple(theirs.given[i] for i in order),
        tuple(theirs.expected[i] for i in order),
        tuple(theirs.columns[i] for i in order),
    )
    for row, one, two in zip(ours.ids, ours.expected, other.expected, strict=True):
        if one != two:
            raise EvaluationError(
                "the two sides expect different answers to the same row",
                given=f"{row}: {one[:60]!r} in {names[0]}, {two[:60]!r} in {names[1]}",
                fix="score both against one file, with --gold",
            )
    return ours, other


def read_verdicts(path: Path) -> dict[str, str]:
    """Verdicts of people by row id: a file with the columns ``id`` and ``verdict``.

    Raises:
        DataFileError: it is missing, empty or not readable. EvaluationError: a column is not there, or an id twice.
    """
    rows = _rows(path)
    for column in ("id", "verdict"):
        _check_column(path, rows, column, column)
    ids = [str(row.get("id")) for _, row in rows]
    _check_unique(path, ids)
    return {name: str(row.get("verdict")).strip().lower() for name, (_, row) in zip(ids, rows, strict=True)}


_Numbered = list[tuple[int, dict[str, Any]]]


def _rows(path: Path) -> _Numbered:
    rows: _Numbered = []
    faults = []
    for row in open_rows(path, layout_name="columns"):
        if isinstance(row, RowFault):
            faults.append((row.number, row.reason))
        else:
            rows.append((row.number, row.columns))
    if faults:
        raise RowErrors(f"{path.name}: rows that cannot be read", rows=tuple(faults), fix="correct them; no row is left out of a score")
    return rows


def _with_gold(rows: _Numbered, gold: _Numbered, names: Names, path: Path) -> _Numbered:
    _check_column(path, rows, names.id, "id")
    answered = {str(row.get(names.id)): row for _, row in rows}
    _check_unique(path, [str(row.get(names.id)) for _, row in rows])
    wanted = [(number, str(row.get(names.id)), row) for number, row in gold]
    missing = [(number, f"no prediction for id {one}") for number, one, _ in wanted if one not in answered]
    if missing:
        raise RowErrors(
            f"{path.name}: predictions are missing",
            rows=tuple(missing),
            given=f"{len(answered):,} predictions for {len(wanted):,} rows",
            allowed="one for each row",
            fix="let the system answer these rows too; leaving out what failed would flatter it",
        )
    return [(number, {**row, names.prediction: answered[one].get(names.prediction)}) for number, one, row in wanted]


def _check_column(path: Path, rows: _Numbered, column: str, part: str) -> None:
    known = sorted({name for _, row in rows for name in row})
    if column not in known:
        near = closest(column, known, 1)
        raise EvaluationError(
            f"{path.name} has no column {column!r}",
            given=", ".join(known) or "no columns",
            allowed=f"a column with the {part}",
            fix=f"did you mean {near[0]}? " * bool(near) + f"name it with --{part} COLUMN",
        )


def _check_unique(path: Path, ids: Sequence[str]) -> None:
    twice = [one for one, count in Counter(ids).items() if count > 1]
    if twice:
        raise EvaluationError(
            f"{path.name}: an id stands on more than one row",
            given=f"{len(twice):,} such ids: {', '.join(twice[:_SHOWN])}",
            allowed="one row for each id",
            fix="remove the repeated rows; counting a row twice makes an interval too narrow",
        )
