"""The tables people read: an evaluation against the base, and the versions of an adapter."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from hatrack.core.figures import metric_words, p_words
from hatrack.core.lineage import Comparison, EvalReport, Kept, Score, SystemScores

__all__ = ["kept_table", "report_tables", "summary_table"]

_SHOWN = ("accuracy", "macro_f1", "token_f1", "format", "perplexity", "preference_accuracy", "reward_accuracy")
_COSTS = ("latency_p50_ms", "latency_p95_ms", "prompt_tokens", "answer_tokens")


def report_tables(report: EvalReport) -> tuple[Table, ...]:
    """Every side's scores, every difference with its interval and p-value, and what is left of the version it was trained on from."""
    confidence = report.comparisons[0].interval.confidence
    names = [name for name in _SHOWN if name in report.systems[0].scores]
    scores = Table(title=f"{report.adapter}: {report.rows} test rows", title_justify="left")
    scores.add_column("")
    for name in names:
        scores.add_column(f"{metric_words(name)} ({confidence:.0%} interval)", justify="right")
    billed = any(system.cost_thousand is not None for system in report.systems)
    for heading in ("latency p50 ms", "p95 ms", "prompt tokens", "answer tokens", *(["cost of 1000"] if billed else [])):
        scores.add_column(heading, justify="right")
    for system in report.systems:
        scores.add_row(
            system.description,
            *(_score(system.scores[name]) for name in names),
            *_costs(system),
            *([_money(system.cost_thousand)] if billed else []),
            style="bold" if system.name == "adapter" else "",
        )
    differences = Table(title="adapter minus base", title_justify="left")
    for heading, side in (
        ("", "left"),
        ("against", "left"),
        ("difference", "right"),
        (f"{confidence:.0%} BCa interval", "right"),
        ("McNemar p", "right"),
    ):
        differences.add_column(heading, justify="right" if side == "right" else "left")
    for c in report.comparisons:
        differences.add_row(metric_words(c.metric), c.base, *_difference(c), style=_colour(c))
    return (scores, differences, *([kept_table(report.kept)] if report.kept else []))


def summary_table(reports: list[EvalReport], title: str) -> Table:
    """One line for each adapter: the better base figure, the adapter, the gain."""
    table = Table(title=title, title_justify="left")
    for heading in ("adapter", "rows", "metric", "base", "adapter ", "gain", "interval", "p", "format", "verdict"):
        table.add_column(heading, justify="left" if heading in ("adapter", "metric", "verdict") else "right")
    for report in reports:
        gain = report.comparison(report.metric)
        adapter, base = report.system("adapter"), report.system(report.best_base)
        table.add_row(
            report.adapter,
            str(report.rows),
            report.metric,
            f"{base.scores[report.metric].value:.3f}",
            f"{adapter.scores[report.metric].value:.3f}",
            f"{gain.difference:+.3f}",
            f"{gain.interval.low:+.3f} to {gain.interval.high:+.3f}",
            p_words(gain.p_value),
            f"{adapter.scores['format'].value:.3f}" if "format" in adapter.scores else "-",
            Text("better than the base", "green") if report.passed else Text("not proven", "red"),
        )
    return table


def kept_table(found: Sequence[Kept]) -> Table:
    """One line for each version that another was made of: both on that one's rows, and the paired difference."""
    table = Table(title="on the test rows of its parent", title_justify="left")
    for heading in ("parent", "rows", "metric", "parent alone", "adapter", "difference", "interval", "p", "verdict"):
        table.add_column(heading, justify="left" if heading in ("parent", "metric", "verdict") else "right")
    for kept in found:
        sides = (f"{score.value:.3f}" for score in (kept.parent_score, kept.score))
        verdict = "forgotten: significantly worse" if kept.forgotten else "not significantly worse"
        table.add_row(
            kept.parent,
            str(kept.rows),
            metric_words(kept.comparison.metric),
            *sides,
            *_difference(kept.comparison),
            verdict,
            style="red" if kept.forgotten else "",
        )
    return table


def _score(score: Score) -> str:
    text = f"{score.value:.3f}"
    return text + (f" ({score.interval.low:.3f} to {score.interval.high:.3f})" if score.interval else "")


def _costs(system: SystemScores) -> list[str]:
    return [f"{system.latency_p50_ms:.0f}", f"{system.latency_p95_ms:.0f}", f"{system.prompt_tokens:.1f}", f"{system.answer_tokens:.1f}"]


def _money(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _difference(c: Comparison) -> list[str]:
    digits = 1 if c.metric in _COSTS else 3
    return [f"{c.difference:+.{digits}f}", f"{c.interval.low:+.{digits}f} to {c.interval.high:+.{digits}f}", p_words(c.p_value)]


def _colour(c: Comparison) -> str:
    if c.significant_gain:
        return "green"
    return "red" if c.significant_loss else ""
