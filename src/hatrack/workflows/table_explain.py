"""A table model as a whole: which columns count, how the score moves with each, drawn where asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hatrack.tabular.explaining.dependence import partial_dependence
from hatrack.tabular.explaining.importance import permutation_importance
from hatrack.tabular.explaining.reasons import explained, mean_contribution
from hatrack.tabular.fitting.search import default_metric
from hatrack.tabular.metrics import METRICS, Scored
from hatrack.tabular.model import Prediction
from hatrack.workflows.table_project import TableProject

__all__ = ["ColumnImportance", "ModelExplanation", "explain_model"]

_ROWS = 500  # test rows that are explained
_DRAWN = 6  # columns whose dependence is drawn


@dataclass(frozen=True)
class ColumnImportance:
    """One column: mean size of its SHAP values, and how much the figure falls when it is shuffled."""

    column: str
    contribution: float
    fall: float
    deviation: float


@dataclass(frozen=True)
class ModelExplanation:
    """What counts, the most important column first."""

    version: str
    rows: int
    unit: str
    metric: str
    columns: tuple[ColumnImportance, ...]
    dependence: dict[str, list[tuple[str, float]]]
    plots: tuple[Path, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "plots": [str(path) for path in self.plots]}


def explain_model(root: Path, reference: str, plots: Path | None = None) -> ModelExplanation:
    """Explain a version on its test rows, at most 500 of them.

    Raises:
        AdapterNotFound: there is no such version. DataError: the data cannot be read any more.
    """
    at = TableProject.open(root, reference.partition("@")[0])
    manifest, model = at.stored(reference)
    ground, _ = at.ground(model.card.readings)
    at.same_target(model, ground)
    chosen = np.random.default_rng(0).permutation(len(ground.test))[:_ROWS]
    table = ground.test.take(np.sort(chosen))
    truth, matrix = ground.truth(table), model.matrix(table)
    metric = METRICS[ground.config.metric or default_metric(len(ground.target.classes))]

    def figure(found: Prediction) -> float:
        score = found.margins if found.probabilities is None else found.probabilities
        labels = np.empty(0, np.int64) if found.chosen is None else found.chosen
        value = metric.total(metric.rows(Scored(truth, score, labels, ground.target.costs)))
        return value if metric.higher_is_better else -value

    reasons = explained(model, table, matrix, model.judge(matrix))
    means = mean_contribution(reasons)
    falls = {one.column: one for one in permutation_importance(model, matrix, figure)}
    columns = tuple(ColumnImportance(name, mean, falls[name].fall, falls[name].deviation) for name, mean in means.items())
    curves = {one.column: curve for one in columns[:_DRAWN] if (curve := partial_dependence(model, matrix, one.column))}
    version = f"{manifest.name}@{manifest.version}"
    drawn: tuple[Path, ...] = ()
    if plots is not None:
        from hatrack.workflows.table_plots import plot_dependence, plot_importance

        about = model.card.decision.classes[-1] if model.card.decision else model.card.target
        drawn = (plot_importance(version, means, reasons[0].unit, plots), *(plot_dependence(c, p, about, plots) for c, p in curves.items()))
    return ModelExplanation(version, len(table), reasons[0].unit, metric.name, columns, curves, drawn)
