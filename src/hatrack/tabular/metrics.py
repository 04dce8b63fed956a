"""How good predictions are: for each row what is needed, and what any selection of rows adds up to. So rows can be resampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from hatrack.tabular.scorers.base import Array

__all__ = ["METRICS", "Scored", "TableMetric", "metrics_for"]


@dataclass(frozen=True)
class Scored:
    """One system on the test rows.

    Attributes:
        truth: [rows] the class's number, or the value.
        score: [rows, classes] probabilities, or [rows, 1] values.
        chosen: [rows] number of the chosen class; empty for regression.
        costs: ``costs[true][chosen]``, where errors cost differently.
    """

    truth: Array
    score: Array
    chosen: npt.NDArray[np.int64]
    costs: tuple[tuple[float, ...], ...] | None = None

    @property
    def classes(self) -> int:
        """How many; 0 for regression."""
        return self.score.shape[1] if len(self.chosen) else 0


@dataclass(frozen=True)
class TableMetric:
    """One figure of merit.

    Attributes:
        rows: what is known of each row ``[n, k]``.
        total: the figure over any selection of those rows.
        right_or_wrong: one column of 0 and 1, so that McNemar's test applies.
        ranks: it hangs on all pairs of rows, so that resampling is slow and DeLong's formula is used, or no interval.
    """

    name: str
    rows: Callable[[Scored], Array]
    total: Callable[[Array], float]
    higher_is_better: bool = True
    right_or_wrong: bool = False
    ranks: bool = False


def _mean(rows: Array) -> float:
    return float(rows[:, 0].mean())


def _ranked(scored: Scored) -> Array:
    return np.column_stack([scored.truth, scored.score[:, 1]])


def _log_loss(scored: Scored) -> Array:
    found: Array = -np.log(np.clip(scored.score[np.arange(len(scored.truth)), scored.truth.astype(int)], 1e-12, None))[:, None]
    return found


def _cost(scored: Scored) -> Array:
    costs = np.asarray(scored.costs)
    found: Array = costs[scored.truth.astype(int), scored.chosen][:, None]
    return found


def _errors(scored: Scored) -> Array:
    return (scored.score[:, 0] - scored.truth)[:, None]


def _r2(rows: Array) -> float:
    spread = float(((rows[:, 1] - rows[:, 1].mean()) ** 2).sum())
    return 1 - float((rows[:, 0] ** 2).sum()) / spread if spread else 0.0


METRICS = {
    metric.name: metric
    for metric in (
        TableMetric("roc_auc", _ranked, lambda rows: float(roc_auc_score(rows[:, 0], rows[:, 1])), ranks=True),
        TableMetric("average_precision", _ranked, lambda rows: float(average_precision_score(rows[:, 0], rows[:, 1])), ranks=True),
        TableMetric("log_loss", _log_loss, _mean, higher_is_better=False),
        TableMetric("brier", lambda s: ((s.score[:, 1] - s.truth) ** 2)[:, None], _mean, higher_is_better=False),
        TableMetric("accuracy", lambda s: (s.chosen == s.truth).astype(np.float64)[:, None], _mean, right_or_wrong=True),
        TableMetric("cost", _cost, _mean, higher_is_better=False),
        TableMetric("rmse", _errors, lambda rows: float(np.sqrt((rows[:, 0] ** 2).mean())), higher_is_better=False),
        TableMetric("mae", _errors, lambda rows: float(np.abs(rows[:, 0]).mean()), higher_is_better=False),
        TableMetric("r2", lambda s: np.column_stack([_errors(s), s.truth]), _r2),
    )
}
"""Every figure of merit of tables, by name."""


def metrics_for(classes: int, *, costs: bool) -> list[TableMetric]:
    """Those that mean something."""
    if not classes:
        names = ["rmse", "mae", "r2"]
    elif classes == 2:
        names = ["roc_auc", "average_precision", "log_loss", "brier", "accuracy"]
    else:
        names = ["log_loss", "accuracy"]
    return [METRICS[name] for name in [*names, *(["cost"] if costs else [])]]
