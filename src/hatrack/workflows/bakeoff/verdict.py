"""From answers to a recommendation: scores with intervals, tests against the best, prices, and the user's wishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hatrack.core.config_compare import CompareSettings, Prices, Wishes
from hatrack.core.config_price import Price
from hatrack.core.lineage import Score
from hatrack.evaluation.metrics.base import Answers, Metric, Rows
from hatrack.evaluation.statistics import bca_interval, holm, mcnemar_p, permutation_p
from hatrack.workflows.bakeoff.attempt import Outcome
from hatrack.workflows.bakeoff.base import Traits
from hatrack.workflows.bakeoff.record import Entry, Recommendation

__all__ = ["Measured", "cheapest", "entries_of", "p_against", "recommend"]


@dataclass(frozen=True)
class Measured:
    """One approach with its answers; ``price`` where a provider bills them."""

    name: str
    traits: Traits
    outcome: Outcome
    answers: Answers
    file: str
    price: Price | None = None


def entries_of(
    measured: Sequence[Measured], metrics: Sequence[Metric], settings: CompareSettings, confidence: float, seed: int
) -> tuple[Entry, ...]:
    """A line for each approach, best first; ``metrics[0]`` decides."""
    rows = [{metric.name: metric.rows(one.answers) for metric in metrics} for one in measured]
    decisive = metrics[0]
    values = [decisive.total(found[decisive.name]) for found in rows]
    sign = 1 if decisive.higher_is_better else -1
    costs = [_costs(one.outcome, one.traits, settings, one.price) for one in measured]
    order = sorted(range(len(measured)), key=lambda i: (-sign * values[i], _dear(costs[i][1])))
    best = order[0]
    others = order[1:]
    raw = [p_against(decisive, rows[best][decisive.name], rows[i][decisive.name], seed) for i in others]
    p_values: dict[int, float | None] = {best: None, **dict(zip(others, holm(raw), strict=True))}
    found = []
    for i in order:
        one, outcome = measured[i], measured[i].outcome
        found.append(
            Entry(
                approach=one.name,
                summary=one.traits.summary,
                family=one.traits.family,
                scores={metric.name: _score(metric, rows[i][metric.name], confidence, seed) for metric in metrics},
                p=p_values[i],
                cost_per_1000=costs[i][0],
                total_cost=costs[i][1],
                retrain=one.traits.retrain,
                explainable=one.traits.explainable,
                offline=one.traits.offline,
                broken=_broken(outcome, one.traits, settings.wishes),
                answers=one.file,
                latency_p50_ms=outcome.latency_p50_ms,
                latency_p95_ms=outcome.latency_p95_ms,
                **outcome.model_dump(include={"rows", "fit_seconds", "answer_seconds", "parameters", "nbytes", "memory_mb"}),
            )
        )
    return tuple(found)


def p_against(metric: Metric, best: Rows, other: Rows, seed: int) -> float:
    """Two-sided p-value on the same rows: McNemar's where a row is right or wrong, else by permutation."""
    if metric.right_or_wrong:
        return mcnemar_p(best[:, 0], other[:, 0])
    return permutation_p(metric.total, best, other, seed)


def cheapest(entries: Sequence[Entry]) -> Entry:
    """The entry with the lowest total cost. One without a stated price comes after all others."""
    return min(entries, key=lambda entry: _dear(entry.total_cost))


def recommend(entries: Sequence[Entry], metric: str, settings: CompareSettings, confidence: float) -> Recommendation:
    """The cheapest approach that is not significantly worse than the best, among those that keep to the wishes.

    The best is the best of all: where the wishes leave out everything that keeps up with it, the best that is left is
    recommended, and the price of the wishes is said.
    """
    best, alpha = entries[0], 1 - confidence
    allowed = [entry for entry in entries if not entry.broken]
    if not allowed:
        reasons = [f"no approach keeps to the wishes; {entry.approach}: {', '.join(entry.broken)}" for entry in entries[:3]]
        return Recommendation(approach=None, reasons=tuple(reasons))
    level = [entry for entry in allowed if entry.p is None or entry.p >= alpha]
    chosen = cheapest(level) if level else allowed[0]
    reasons = [f"{metric} {_shown(chosen.scores[metric])}; the best is {best.approach} with {_shown(best.scores[metric])}"]
    if chosen is best:
        rivals = [entry for entry in allowed if entry is not best and entry in level]
        reasons.append("it is the best" + (f", and cheaper than the {len(rivals)} that are not significantly worse" if rivals else
                       ": every other approach is significantly worse" if len(entries) > 1 else ""))  # fmt: skip
    elif level:
        reasons.append(f"not significantly worse than the best (Holm-corrected p {chosen.p:.3f}, {alpha:.2f} would be)")
        reasons.append(_cost_reason(chosen, best, settings))
    else:
        reasons.append(
            f"the best of those that keep to the wishes, and significantly worse than {best.approach}, "
            f"which does not: {', '.join(best.broken)}"
        )
    return Recommendation(approach=chosen.approach, reasons=tuple(reasons))


def _cost_reason(chosen: Entry, best: Entry, settings: CompareSettings) -> str:
    if chosen.total_cost is None:
        return "no price is stated for it"
    text = f"training and {settings.requests:,} requests cost {chosen.total_cost:.2g}"
    return text + (f", against {best.total_cost:.2g} for {best.approach}" if best.total_cost is not None else "")


def _shown(score: Score) -> str:
    return f"{score.value:.3f}" + (f" ({score.interval.low:.3f} to {score.interval.high:.3f})" if score.interval else "")


def _score(metric: Metric, rows: Rows, confidence: float, seed: int) -> Score:
    return Score(value=metric.total(rows), interval=bca_interval(metric.total, rows, confidence, seed))


def _costs(outcome: Outcome, traits: Traits, settings: CompareSettings, price: Price | None) -> tuple[float | None, float | None]:
    """Of a thousand requests, and of training and all requests."""
    prices, training = settings.prices, outcome.fit_seconds / 3600 * settings.prices.machine_hour
    thousand = _hosted(outcome, prices, price) if not traits.offline else _local(outcome, prices)
    return thousand, None if thousand is None else training + thousand * settings.requests / 1000


def _local(outcome: Outcome, prices: Prices) -> float:
    """The machine answers one request at a time; batches are cheaper."""
    seconds = sum(outcome.latencies_ms) / len(outcome.latencies_ms) / 1000
    return 1000 * seconds / 3600 * prices.machine_hour


def _hosted(outcome: Outcome, prices: Prices, price: Price | None) -> float | None:
    """By the model's own price, else by that of ``compare.prices``."""
    asked = price or prices
    if asked.input_million is None or asked.output_million is None:
        return None
    prompt, answer = outcome.tokens
    return (prompt * asked.input_million + answer * asked.output_million) / 1000


def _broken(outcome: Outcome, traits: Traits, wishes: Wishes) -> tuple[str, ...]:
    found = []
    if wishes.max_latency_ms is not None and outcome.latency_p95_ms > wishes.max_latency_ms:
        found.append(f"p95 {outcome.latency_p95_ms:.0f} ms, {wishes.max_latency_ms:g} are allowed")
    if wishes.max_memory_mb is not None and outcome.memory_mb > wishes.max_memory_mb:
        found.append(f"{outcome.memory_mb:.0f} MB of memory, {wishes.max_memory_mb:g} are allowed")
    if wishes.explainable and not traits.explainable:
        found.append("not explainable")
    if wishes.offline and not traits.offline:
        found.append("texts leave this machine")
    return tuple(found)


def _dear(cost: float | None) -> float:
    return float("inf") if cost is None else cost
