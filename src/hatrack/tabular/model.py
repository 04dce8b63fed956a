"""A stored table model, as it is used: rows in, predictions out. Nothing here can fit, so a server installs no trainer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hatrack.core.atomic import write_text
from hatrack.core.config_tables import TableFeature
from hatrack.core.errors import AdapterBroken, DataError
from hatrack.tabular.calibration import Calibration
from hatrack.tabular.decision import Decision
from hatrack.tabular.encoding import Encoding
from hatrack.tabular.faults import CellNote
from hatrack.tabular.features.base import computed
from hatrack.tabular.readings import Reading, TextReader, with_readings
from hatrack.tabular.scorers.base import SCORERS, Array, Scorer
from hatrack.tabular.table import Table

__all__ = ["CARD", "Card", "Prediction", "TableModel"]

CARD = "table.json"
_SCORER = "scorer"


class Card(BaseModel):
    """Everything about a table model but the numbers of its scorer.

    Attributes:
        decision: None for regression.
        readings: columns that adapters and embedders read out of texts, made first.
        recipes: columns that are computed from others before encoding.
        inputs: the columns that a row must have.
        fixed: columns that counterfactuals leave alone.
        middle: per column, the value that stands for "nothing special" in reasons.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["hatrack.table/1"] = "hatrack.table/1"
    target: str
    task: Literal["classification", "regression"]
    model: str
    scorer: str
    encoding: Encoding
    readings: tuple[Reading, ...] = ()
    recipes: tuple[TableFeature, ...] = ()
    inputs: tuple[str, ...]
    calibration: Calibration = Calibration()
    decision: Decision | None = None
    fixed: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    settings: dict[str, Any] = Field({}, description="What the model was fitted with.")


@dataclass(frozen=True)
class Prediction:
    """What the model makes of some rows.

    Attributes:
        margins: [rows, outputs]
        probabilities: [rows, classes]; None for regression.
        chosen: [rows] number of the chosen class; None for regression.
        notes: what was remarkable.
    """

    margins: Array
    probabilities: Array | None
    chosen: np.ndarray | None
    notes: list[CellNote]


@dataclass(frozen=True)
class TableModel:
    """A card and its scorer."""

    card: Card
    scorer: Scorer

    def table(self, rows: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]] = (), read: TextReader | None = None) -> Table:
        """Records as the table that the model reads: with computed columns, and numbered from 1.

        Args:
            history: earlier rows that windows may look back on.
            read: who reads texts, where the model has readings.

        Raises:
            DataError: no rows, or a column that a computed one is made of is missing. AdapterMismatch: who read
                the texts in training is not here.
        """
        if not rows:
            raise DataError("there is no row to predict", given="0 rows", allowed="at least one")
        return self.completed(Table.of_rows(rows), Table.of_rows(history), read)

    def completed(self, table: Table, before: Table, read: TextReader | None = None) -> Table:
        """As ``table``, for rows that are a table already and keep their numbers; ``before`` holds the earlier ones."""
        table = with_readings(self.card.readings, table, read)
        if len(before) and any(name in recipe.of for recipe in self.card.recipes for name in self.made):
            before = with_readings(self.card.readings, before, read)
        return computed(self.card.recipes, table, before)

    @property
    def made(self) -> tuple[str, ...]:
        """Columns that are read out of texts."""
        return tuple(name for reading in self.card.readings for name in reading.columns)

    def matrix(self, table: Table) -> Array:
        """``[rows, features]``. Raises as ``Encoding.encode``."""
        return self.card.encoding.encode(table)

    def predict(self, table: Table, *, notes: bool = True) -> Prediction:
        """Predict every row.

        Raises:
            DataError: a column is missing. CellFaults: cells that cannot be used; then nothing is predicted.
        """
        return self.judge(self.matrix(table), self.card.encoding.notes(table) if notes else [])

    def judge(self, matrix: Array, notes: Sequence[CellNote] = ()) -> Prediction:
        """As ``predict``, for rows that are encoded already."""
        margins = self.scorer.margins(matrix)
        if self.card.decision is None:
            return Prediction(margins, None, None, list(notes))
        probabilities = self.card.calibration.probabilities(margins, self.scorer.link)
        return Prediction(margins, probabilities, self.card.decision.choose(probabilities), list(notes))

    def score(self, prediction: Prediction) -> Array:
        """[rows] the figure that counts: the probability of the positive (of many: of the chosen) class, or the value."""
        if prediction.probabilities is None or prediction.chosen is None:
            return prediction.margins[:, 0]
        if prediction.probabilities.shape[1] == 2:
            return prediction.probabilities[:, 1]
        of_chosen: Array = prediction.probabilities[np.arange(len(prediction.chosen)), prediction.chosen]
        return of_chosen

    def answers(self, prediction: Prediction) -> list[dict[str, Any]]:
        """One record for each row, as commands and the API give them."""
        if self.card.decision is None or prediction.probabilities is None or prediction.chosen is None:
            return [{"value": float(value)} for value in prediction.margins[:, 0]]
        classes = self.card.decision.classes
        return [
            {"label": classes[chosen], "probabilities": dict(zip(classes, map(float, row), strict=True))}
            for chosen, row in zip(prediction.chosen, prediction.probabilities, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write the card and the scorer's files into ``folder``."""
        self.scorer.save(folder, _SCORER)
        write_text(folder / CARD, json.dumps(self.card.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def load(cls, folder: Path) -> TableModel:
        """Read a stored model; nothing is imported because a file names it (F22).

        Raises:
            AdapterBroken: a file is missing or damaged, or of another format. MissingExtra: XGBoost is not installed.
        """
        path = folder / CARD
        try:
            card = Card.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise AdapterBroken(
                "this table model cannot be read", given=f"{path.name}: {str(error).splitlines()[0]}", fix="train it again"
            ) from error
        if card.scorer not in SCORERS.names():
            raise AdapterBroken(
                "this table model is of a kind that is not installed", given=card.scorer[:60], allowed=", ".join(SCORERS.names())
            )
        return cls(card, SCORERS.get(card.scorer).load(folder, _SCORER))
