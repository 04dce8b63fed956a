"""The evidence about a table model: against a constant and a plain model on the same test rows, with intervals; and the verdict."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from hatrack.core.config import GateRules
from hatrack.core.lineage import Comparison, EvalReport, Interval, Score, SystemScores
from hatrack.core.verdict import judge_table
from hatrack.evaluation.delong import auc_difference, auc_interval
from hatrack.evaluation.statistics import bca_interval, mcnemar_p
from hatrack.tabular.explaining.reasons import explain_rows, mean_contribution
from hatrack.tabular.fairness import GroupRates, fairness, warnings_of
from hatrack.tabular.fitting.fit import Ground
from hatrack.tabular.fitting.search import default_metric
from hatrack.tabular.metrics import METRICS, Scored, TableMetric, metrics_for
from hatrack.tabular.model import TableModel
from hatrack.tabular.readings import TextReader

__all__ = ["System", "group_rates", "measure_systems", "report_of", "scored"]

OURS = "adapter"  # as reports of adapters call the side that was trained
_LATENCY_ROWS = 50
_EXPLAINED_ROWS = 200  # for what counts, as the page shows it; `table explain` takes more


@dataclass(frozen=True)
class System:
    """One model that is measured; ``read`` reads its texts, so that the time of single rows is the whole time."""

    name: str
    description: str
    model: TableModel
    read: TextReader | None = None


def scored(model: TableModel, ground: Ground) -> Scored:
    """A model's predictions of the test rows."""
    found = model.predict(ground.test, notes=False)
    score = found.margins if found.probabilities is None else found.probabilities
    chosen = np.empty(0, np.int64) if found.chosen is None else found.chosen
    return Scored(ground.truth(ground.test), score, chosen, ground.target.costs)


def measure_systems(systems: Sequence[System], ground: Ground, rules: GateRules) -> tuple[dict[str, Scored], list[SystemScores]]:
    """Every system on the test rows: all figures with their intervals, and the time of single rows."""
    answers = {system.name: scored(system.model, ground) for system in systems}
    metrics = metrics_for(len(ground.target.classes), costs=ground.target.costs is not None)
    found = []
    for system in systems:
        p50, p95 = _latency(system, ground)
        found.append(
            SystemScores(
                name=system.name,
                description=system.description,
                constrained=True,
                scores={m.name: _score(m, answers[system.name], rules, ground.config.seed) for m in metrics},
                latency_p50_ms=p50,
                latency_p95_ms=p95,
                latency_rows=min(_LATENCY_ROWS, len(ground.test)),
                prompt_tokens=0,
                answer_tokens=0,
            )
        )
    return answers, found


def report_of(name: str, digest: str, test_digest: str, systems: Sequence[System], ground: Ground, rules: GateRules) -> EvalReport:
    """The report that promotion asks for. The first system is the version, the others are what it must beat."""
    answers, measured = measure_systems(systems, ground, rules)
    gated = METRICS[ground.config.metric or default_metric(len(ground.target.classes))]
    metrics = metrics_for(len(ground.target.classes), costs=ground.target.costs is not None)
    bases = [system.name for system in systems[1:]]
    comparisons = [
        _compare(metric, base, answers[OURS], answers[base], rules, ground.config.seed)
        for base in bases
        for metric in metrics
        if metric.name != "average_precision"  # it has no interval
    ]
    by_value = {one.name: one.scores[gated.name].value for one in measured if one.name in bases}
    best = (max if gated.higher_is_better else min)(by_value, key=lambda base: by_value[base])
    passed, reasons = judge_table(gated.name, comparisons, rules)
    warnings = warnings_of(group_rates(systems[0].model, ground, answers[OURS]))
    return EvalReport(
        adapter=name,
        adapter_digest=digest,
        test_digest=test_digest,
        rows=len(ground.test),
        task=ground.target.task,
        metric=gated.name,
        systems=tuple(measured),
        best_base=best,
        comparisons=tuple(comparisons),
        passed=passed,
        reasons=(*reasons, *(f"warning, fairness: {warning}" for warning in warnings)),
        seed=ground.config.seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        importance=mean_contribution(explain_rows(systems[0].model, ground.test.take(range(min(_EXPLAINED_ROWS, len(ground.test)))))),
    )


def group_rates(model: TableModel, ground: Ground, answers: Scored) -> list[GroupRates]:
    """Rates by protected column on the test rows; empty where there is none, or no two classes."""
    if not ground.config.protected or answers.classes != 2:
        return []
    return fairness(ground.test, ground.config.protected, answers.truth, answers.chosen)


def _score(metric: TableMetric, answers: Scored, rules: GateRules, seed: int) -> Score:
    rows = metric.rows(answers)
    if metric.name == "roc_auc":
        value, interval = auc_interval(rows[:, 0], rows[:, 1], rules.confidence)
        return Score(value=value, interval=interval)
    if metric.ranks:
        return Score(value=metric.total(rows))
    return Score(value=metric.total(rows), interval=_interval(metric, rows, rules, seed))


def _compare(metric: TableMetric, base: str, ours: Scored, theirs: Scored, rules: GateRules, seed: int) -> Comparison:
    mine, other = metric.rows(ours), metric.rows(theirs)
    if metric.name == "roc_auc":
        difference, interval = auc_difference(mine[:, 0], mine[:, 1], other[:, 1], rules.confidence)
    else:
        both, width = np.hstack([mine, other]), mine.shape[1]

        def gap(rows: np.ndarray) -> float:
            return metric.total(rows[:, :width]) - metric.total(rows[:, width:])

        difference, interval = gap(both), bca_interval(gap, both, rules.confidence, seed)
    p_value = mcnemar_p(mine[:, 0], other[:, 0]) if metric.right_or_wrong else None
    return Comparison(
        metric=metric.name, base=base, difference=difference, interval=interval, p_value=p_value, higher_is_better=metric.higher_is_better
    )


def _interval(metric: TableMetric, rows: np.ndarray, rules: GateRules, seed: int) -> Interval:
    return bca_interval(metric.total, rows, rules.confidence, seed)


def _latency(system: System, ground: Ground) -> tuple[float, float]:
    """Milliseconds for a single row, from its cells to the answer: median, and 95 in 100."""
    model = system.model
    rows = ground.test.without(model.made).take(range(min(_LATENCY_ROWS, len(ground.test)))).rows()
    times = []
    for row in rows:
        begin = time.perf_counter()
        model.answers(model.predict(model.table([row], read=system.read)))
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times), float(np.quantile(times, 0.95))
