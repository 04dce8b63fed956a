"""What ``hatrack score`` and ``hatrack eval`` show: figures with intervals, differences, and slices that stand out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from hatrack.core.lineage import Comparison, Score
from hatrack.evaluation.scoring import Scored
from hatrack.evaluation.slices import FEW, Slice

__all__ = ["comparison_table", "score_table", "slice_table"]

_SIGNIFICANT = 0.05


def score_table(name: str, rows: int, labels: Sequence[str], found: Sequence[Scored], confidence: float) -> Table:
    """One line for each metric."""
    kind = f", {len(labels)} labels" if labels else ", free text"
    table = Table(title=f"{name}: {rows:,} rows{kind}", title_justify="left")
    table.add_column("metric")
    table.add_column("figure", justify="right")
    table.add_column(f"{confidence:.0%} interval", justify="right")
    for one in found:
        table.add_row(one.metric.name, f"{one.score.value:.4f}", _interval(one.score))
    return table


def comparison_table(name: str, differences: Sequence[Comparison]) -> Table:
    """One line for each metric: the first file minus the second."""
    table = Table(title=f"{name} minus {differences[0].base}", title_justify="left")
    for heading in ("metric", "difference", "interval", "p"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for one in differences:
        style = "green" if one.significant_gain else "red" if one.significant_loss else ""
        between = f"{one.interval.low:+.4f} to {one.interval.high:+.4f}"
        table.add_row(one.metric, f"{one.difference:+.4f}", between, "" if one.p_value is None else f"{one.p_value:.4f}", style=style)
    return table


def slice_table(metric: str, parts: Sequence[Slice]) -> Table:
    """One line for each slice; p says whether the other rows do as well."""
    table = Table(title=f"{metric} by slice", title_justify="left")
    for heading in ("column", "value", "rows", metric, "interval", "p of the rest being equal", ""):
        table.add_column(heading, justify="right" if heading in ("rows", metric, "interval") else "left")
    for one in parts:
        words = [f"fewer than {FEW} rows"] if one.small else []
        words += ["differs from the rest"] if one.p < _SIGNIFICANT else []
        style = "red" if one.p < _SIGNIFICANT else "dim" if one.small else ""
        value = one.value or "(empty)"
        table.add_row(
            one.column,
            value,
            f"{one.rows:,}",
            f"{one.score.value:.4f}",
            _interval(one.score),
            f"{one.p:.3f}",
            "; ".join(words),
            style=style,
        )
    return table


def _interval(score: Score) -> str:
    return f"{score.interval.low:.4f} to {score.interval.high:.4f}" if score.interval else "one row has none"
