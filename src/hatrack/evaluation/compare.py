"""An adapter against its base on the same rows: every difference with its interval and p-value, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

from hatrack.core.config import GateRules
from hatrack.core.errors import EvaluationError
from hatrack.core.lineage import Comparison, EvalReport, Interval, Score, SystemScores
from hatrack.data.records import Example
from hatrack.evaluation.gate import gated_metric, judge
from hatrack.evaluation.hosted import run_hosted
from hatrack.evaluation.likelihood import LIKELIHOOD_TASKS, score_systems
from hatrack.evaluation.metrics.base import METRICS, Answers, Metric
from hatrack.evaluation.statistics import bca_interval, mcnemar_p
from hatrack.evaluation.systems import ADAPTER, LATENCY_ROWS, PARENT, SystemOutput, expected_answer, percentile, run_systems
from hatrack.models.backends.hosted import HostedAdapter
from hatrack.models.host import ModelHost

__all__ = ["evaluate_adapter"]


def evaluate_adapter(
    host: ModelHost,
    name: str,
    key: str,
    test: Sequence[Example],
    train: Sequence[Example],
    test_digest: str,
    rules: GateRules,
    seed: int,
    report: Callable[[str], None] = lambda line: None,
    parent: str | None = None,
    hosted: HostedAdapter | None = None,
) -> EvalReport:
    """Measure the attached adapter ``key`` (its digest) and its base on ``test``.

    Args:
        hosted: the adapter, where its weights are elsewhere and nothing is attached.
        parent: key of the attached adapter that ``key`` was trained on from. It is one more base figure to beat, else
            the parent's merit would pass for the adapter's own.

    Raises:
        EvaluationError: no rows, a gate metric that does not apply, or a task that a hosted adapter cannot be measured on.
        ProviderError: a hosted adapter does not answer.
    """
    if not test:
        raise EvaluationError("there are no test rows to evaluate on", fix="give data.test, or more rows to split off")
    card = hosted.card if hosted else host.adapters[key].card
    if hosted:
        outputs = run_hosted(host, hosted, test, report)
    elif card.task in LIKELIHOOD_TASKS:
        outputs = score_systems(host, key, test, report, parent)
    else:
        outputs = run_systems(host, key, test, train, report, parent)
    expected = tuple(expected_answer(example) for example in test)
    reference = next((o for o in outputs if o.name == PARENT), outputs[0]).likelihoods
    answers = {o.name: Answers(o.answers, expected, card.labels, card.answer_schema, o.likelihoods, reference) for o in outputs}
    metrics = [m for m in (METRICS.get(name)() for name in METRICS.names()) if m.applies(answers[ADAPTER])]
    gate_metric = gated_metric(card.task, rules)
    gated = next((metric for metric in metrics if metric.name == gate_metric), None)
    if gated is None:
        raise EvaluationError(
            "the gate's metric does not apply to this task",
            given=gate_metric,
            allowed=", ".join(m.name for m in metrics),
            fix="set gate.metric",
        )
    rows = {(o.name, m.name): m.rows(answers[o.name]) for o in outputs for m in metrics}
    systems = tuple(_scores(o, metrics, rows, rules, seed) for o in outputs)
    bases = {s.name: s.scores[gate_metric].value for s in systems if s.name.startswith("base")}
    best = (max if gated.higher_is_better else min)(bases, key=lambda base: bases[base])
    comparisons = [_compare(m, base, rows, rules, seed) for base in bases for m in metrics]
    by_name = {o.name: o for o in outputs}
    comparisons += [c for base in bases for c in _cost(by_name[base], by_name[ADAPTER], rules, seed)]
    free = {o.name for o in outputs if not o.constrained}
    passed, reasons = judge(gate_metric, best, comparisons, rules, free)
    return EvalReport(
        adapter=name,
        adapter_digest=key,
        test_digest=test_digest,
        rows=len(test),
        task=card.task,
        metric=gate_metric,
        systems=systems,
        best_base=best,
        comparisons=tuple(comparisons),
        passed=passed,
        reasons=reasons,
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _scores(
    output: SystemOutput, metrics: Sequence[Metric], rows: dict[tuple[str, str], np.ndarray], rules: GateRules, seed: int
) -> SystemScores:
    scores = {}
    for metric in metrics:
        mine = rows[output.name, metric.name]
        interval = bca_interval(metric.total, mine, rules.confidence, seed)
        scores[metric.name] = Score(value=metric.total(mine), interval=interval)
    return SystemScores(
        name=output.name,
        description=output.description,
        constrained=output.constrained,
        scores=scores,
        latency_p50_ms=percentile(output.latencies_ms, 0.5),
        latency_p95_ms=percentile(output.latencies_ms, 0.95),
        latency_rows=min(LATENCY_ROWS, len(output.answers)),
        prompt_tokens=float(np.mean(output.prompt_tokens)),
        answer_tokens=float(np.mean(output.answer_tokens)),
        cost_thousand=1000 * float(np.mean(output.costs)) if output.costs else None,
    )


def _compare(metric: Metric, base: str, rows: dict[tuple[str, str], np.ndarray], rules: GateRules, seed: int) -> Comparison:
    ours, theirs = rows[ADAPTER, metric.name], rows[base, metric.name]
    width = ours.shape[1]
    both = np.hstack([ours, theirs])

    def difference(chosen: np.ndarray) -> float:
        return metric.total(chosen[:, :width]) - metric.total(chosen[:, width:])

    return Comparison(
        metric=metric.name,
        base=base,
        difference=difference(both),
        interval=bca_interval(difference, both, rules.confidence, seed),
        p_value=mcnemar_p(ours[:, 0], theirs[:, 0]) if metric.right_or_wrong else None,
        higher_is_better=metric.higher_is_better,
    )


def _cost(base: SystemOutput, adapter: SystemOutput, rules: GateRules, seed: int) -> list[Comparison]:
    """Differences in latency and tokens: lower is better, and no right or wrong."""
    pairs: list[tuple[str, Sequence[float], Sequence[float], Callable[[np.ndarray], float]]] = [
        ("latency_p50_ms", adapter.latencies_ms, base.latencies_ms, lambda v: float(np.median(v))),
        ("latency_p95_ms", adapter.latencies_ms, base.latencies_ms, lambda v: float(np.quantile(v, 0.95))),
        ("prompt_tokens", adapter.prompt_tokens, base.prompt_tokens, lambda v: float(np.mean(v))),
        ("answer_tokens", adapter.answer_tokens, base.answer_tokens, lambda v: float(np.mean(v))),
    ]
    if adapter.own_tokens:  # counts of two tokenizers have no difference that means anything
        pairs = pairs[:2]
    comparisons = []
    for name, ours, theirs, total in pairs:
        both = np.array([ours, theirs], float).T

        def difference(chosen: np.ndarray, total: Callable[[np.ndarray], float] = total) -> float:
            return total(chosen[:, 0]) - total(chosen[:, 1])

        interval = bca_interval(difference, both, rules.confidence, seed) if len(both) > 1 else Interval(low=0, high=0)
        comparisons.append(Comparison(metric=name, base=base.name, difference=difference(both), interval=interval, higher_is_better=False))
    return comparisons
