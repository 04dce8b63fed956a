"""Why one row got its score: SHAP values, added up by column, in the unit the model adds in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hatrack.tabular.columns.vector import Vector
from hatrack.tabular.encoding import AnyColumn
from hatrack.tabular.model import Prediction, TableModel
from hatrack.tabular.scorers.base import Array
from hatrack.tabular.table import Table
from hatrack.tabular.values import shown

__all__ = ["UNITS", "Explanation", "Reason", "by_column", "explain_rows", "explained", "mean_contribution"]

UNITS = {"logit": "log odds", "probability": "probability", "value": "the target's unit"}


@dataclass(frozen=True)
class Reason:
    """One column's part in a score: positive raises it."""

    column: str
    value: str
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """One row's score and every column's part in it, the largest first.

    ``start`` and all contributions add up to ``margin``.

    Attributes:
        about: the class that the score is about; empty for regression.
        label: the class that was chosen; empty for regression.
        score: probability of ``about``, or the predicted value.
        threshold: two classes: the probability from which the positive one is chosen.
    """

    row: int
    about: str
    label: str
    score: float
    threshold: float | None
    margin: float
    start: float
    unit: str
    reasons: tuple[Reason, ...]

    def as_dict(self, most: int | None = None) -> dict[str, Any]:
        """For JSON, with the ``most`` largest reasons and the sum of the others."""
        kept = self.reasons[:most]
        rest = sum(reason.contribution for reason in self.reasons[len(kept) :])
        found: dict[str, Any] = {"label": self.label} if self.label else {}
        if self.about:
            found |= {"about": self.about, "probability": self.score}
        else:
            found |= {"value": self.score}
        if self.threshold is not None:
            found["threshold"] = self.threshold
        return found | {
            "margin": self.margin,
            "start": self.start,
            "unit": self.unit,
            "reasons": [{"column": r.column, "value": r.value, "contribution": r.contribution} for r in kept],
            "others": rest,
        }


def explain_rows(model: TableModel, table: Table) -> list[Explanation]:
    """Explain every row of ``table``; of many classes the chosen one is explained.

    Raises:
        DataError, CellFaults: as ``TableModel.predict``.
    """
    matrix = model.matrix(table)
    return explained(model, table, matrix, model.judge(matrix))


def explained(model: TableModel, table: Table, matrix: Array, prediction: Prediction) -> list[Explanation]:
    """As ``explain_rows``, for rows that are encoded and predicted already."""
    parts, start = by_column(model, matrix)
    scores, decision = model.score(prediction), model.card.decision
    found = []
    for place, row in enumerate(table.numbers):
        chosen = int(prediction.chosen[place]) if prediction.chosen is not None else 0
        output = chosen if parts.shape[1] > 1 else 0
        about = "" if decision is None else decision.classes[1 if len(decision.classes) == 2 else chosen]
        reasons = [
            Reason(column.name, shown(table.columns[_told(column)][place]), float(parts[place, output, number]))
            for number, column in enumerate(model.card.encoding.columns)
        ]
        found.append(
            Explanation(
                row=row,
                about=about,
                label="" if decision is None else decision.classes[chosen],
                score=float(scores[place]),
                threshold=decision.threshold if decision is not None and len(decision.classes) == 2 else None,
                margin=float(prediction.margins[place, output]),
                start=float(start[output]),
                unit=UNITS[model.scorer.link],
                reasons=tuple(sorted(reasons, key=lambda reason: -abs(reason.contribution))),
            )
        )
    return found


def _told(column: AnyColumn) -> str:
    """Whose cell says what stood there: of a vector, the text that it was made of."""
    return column.source if isinstance(column, Vector) else column.name


def by_column(model: TableModel, matrix: Array) -> tuple[Array, Array]:
    """SHAP values ``[rows, outputs, columns]`` and what they start from ``[outputs]``."""
    values, start = model.scorer.contributions(matrix)
    owner, count = model.card.encoding.owner, len(model.card.encoding.columns)
    belongs = (owner[:, None] == np.arange(count)).astype(np.float64)
    return values @ belongs, start


def mean_contribution(explanations: Sequence[Explanation]) -> dict[str, float]:
    """Mean size of each column's contributions, the largest first."""
    total: dict[str, float] = {}
    for one in explanations:
        for reason in one.reasons:
            total[reason.column] = total.get(reason.column, 0.0) + abs(reason.contribution) / len(explanations)
    return dict(sorted(total.items(), key=lambda pair: -pair[1]))
