"""What people see of table models: figures beside baselines, groups, reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from hatrack.core.lineage import EvalReport, Score

if TYPE_CHECKING:
    from hatrack.tabular.explaining.counterfactual import Change
    from hatrack.tabular.explaining.reasons import Explanation
    from hatrack.tabular.fairness import GroupRates, Rate

__all__ = ["fairness_table", "figures_table", "reasons_table"]

_WORDS = {
    "roc_auc": "ROC AUC",
    "average_precision": "avg. precision",
    "log_loss": "log loss",
    "brier": "Brier",
    "accuracy": "accuracy",
    "cost": "cost a row",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
}


def figures_table(report: EvalReport, seconds: Mapping[str, float], title: str) -> Table:
    """Every system's figures with intervals; the difference to the best baseline; training and answering time."""
    confidence = next((c.interval.confidence for c in report.comparisons), 0.95)
    metrics = [name for name in _WORDS if name in report.systems[0].scores]
    shown = [name for name in metrics if name in (report.metric, "cost", "accuracy", "r2", "mae", "brier")]
    shown = [report.metric, *(name for name in shown if name != report.metric)]
    table = Table(title=f"{title}: {report.rows:,} test rows", title_justify="left")
    table.add_column("model")
    for name in shown:
        table.add_column(f"{_WORDS[name]} ({confidence:.0%} interval)", justify="right")
    table.add_column("train s", justify="right")
    table.add_column("one row ms", justify="right")
    for system in report.systems:
        name = system.description if system.name == "adapter" else system.name
        took = seconds.get(system.name)
        table.add_row(
            name,
            *(_score(system.scores[metric]) for metric in shown),
            "" if took is None else f"{took:.1f}",
            f"{system.latency_p50_ms:.2f}",
            style="bold" if system.name == "adapter" else "",
        )
    return table


def fairness_table(rates: Sequence[GroupRates], positive: str) -> Table:
    """Selection and error rates by group."""
    table = Table(title=f"by group, on the test rows ('{positive}' is the positive class; 95 % intervals)", title_justify="left")
    for heading in ("column", "group"):
        table.add_column(heading)
    for heading in ("rows", "chosen", "missed", "false alarms"):
        table.add_column(heading, justify="right")
    for group in rates:
        shares = (_rate(one) for one in (group.selected, group.missed, group.false_alarms))
        table.add_row(group.column, group.group, str(group.selected.rows), *shares)
    return table


def reasons_table(one: Explanation, most: int, changes: Sequence[tuple[Change, ...]] = ()) -> Table:
    """One row's score, the largest reasons, and what would change the decision."""
    verdict = f"{one.label}: probability of {one.about} {one.score:.3f}" if one.about else f"{one.score:g}"
    threshold = f", chosen from {one.threshold:.3f} on" if one.threshold is not None else ""
    table = Table(title=f"row {one.row}: {verdict}{threshold}", title_justify="left")
    table.add_column("column")
    table.add_column("value")
    table.add_column(f"contribution ({one.unit})", justify="right")
    table.add_row(Text("mean of training", "dim"), "", f"{one.start:+.3f}")
    for reason in one.reasons[:most]:
        table.add_row(reason.column, reason.value, f"{reason.contribution:+.3f}")
    rest = one.reasons[most:]
    if rest:
        table.add_row(Text(f"{len(rest)} others", "dim"), "", f"{sum(reason.contribution for reason in rest):+.3f}")
    table.add_row("sum", "", f"{one.margin:+.3f}", style="bold")
    for number, change in enumerate(changes):
        words = " and ".join(f"{c.column} {c.now} -> {c.instead}" for c in change)
        table.add_row(Text("would change it:" if not number else "or:", "dim"), words, "")
    return table


def _score(score: Score) -> str:
    text = f"{score.value:.3f}"
    return text + (f" ({score.interval.low:.3f} to {score.interval.high:.3f})" if score.interval else "")


def _rate(rate: Rate) -> str:
    return f"{rate.value:.2f} ({rate.low:.2f} to {rate.high:.2f})" if rate.rows else "-"
