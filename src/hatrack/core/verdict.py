"""The gate's verdict on figures that were measured: pure, so that evaluation and promotion cannot disagree."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hatrack.core.config import GateRules
from hatrack.core.lineage import Comparison

__all__ = ["TABLE_TASKS", "gated_metric", "judge", "judge_table"]

TABLE_TASKS = ("classification", "regression")  # whose metric stands with the table, and whose bases are models of their own
_LATENCY = {"latency": "latency_p50_ms"}  # what people say, and the figure that twenty requests can tell

# The figure the gate reads where the config names none.
_GATED = {"instruct": "token_f1", "complete": "perplexity", "prefer": "preference_accuracy"}


def gated_metric(task: str, rules: GateRules) -> str:
    """The metric that decides on an adapter for this task."""
    return rules.metric or _GATED.get(task, "accuracy")


def judge(
    metric: str, base: str, comparisons: Sequence[Comparison], rules: GateRules, free: Collection[str]
) -> tuple[bool, tuple[str, ...]]:
    """Decide on an adapter against the best base figure.

    It passes when the whole interval of the gain in ``metric`` (the fall, where lower is better) is more than
    ``rules.min_gain``, McNemar's test (where it applies) finds the gain significant at the same confidence (on a
    handful of rows an interval can have no width, and the exact test knows that), and no metric of ``rules.no_worse``
    becomes significantly worse, by more than ``rules.tolerate`` says, than that of any base that was free to answer
    anything (``free``): one that can only choose among the labels has a perfect format for nothing. Latency is compared
    with ``base`` too, for nobody is slower by being free.
    """
    reasons = []
    gain = next(c for c in comparisons if c.base == base and c.metric == metric)
    passed = clear = gain.least_gain > rules.min_gain
    end, asked = ("lower", rules.min_gain) if gain.higher_is_better else ("upper", -rules.min_gain or 0.0)
    side = "above" if gain.higher_is_better else "below"
    reasons.append(
        f"{metric}: {gain.difference:+.3f} against {base}, {rules.confidence:.0%} interval "
        f"{gain.interval.low:+.3f} to {gain.interval.high:+.3f}; its {end} end is {side if clear else f'not {side}'} {asked:g}"
    )
    if clear and gain.p_value is not None and gain.p_value > 1 - rules.confidence:
        passed = False
        reasons.append(f"{metric}: McNemar p is {gain.p_value:.3f}; there are too few test rows to be sure of the gain")
    watched = {_LATENCY.get(name, name): rules.tolerated(name) for name in rules.no_worse}
    for other in comparisons:
        compared = other.base in free or (other.base == base and other.metric.startswith("latency"))
        if other.metric in watched and compared and other.most_kept < -watched[other.metric]:
            passed = False
            moves = "falls" if other.higher_is_better else "rises"
            reasons.append(
                f"{other.metric}: {moves} by {abs(other.difference):.3f} against {other.base}, significantly "
                f"({other.interval.low:+.3f} to {other.interval.high:+.3f})"
            )
    return passed, tuple(reasons)


def judge_table(metric: str, comparisons: Sequence[Comparison], rules: GateRules) -> tuple[bool, tuple[str, ...]]:
    """Decide on a table model: it must beat knowing nothing by ``rules.min_gain``, and must not lose to the plain model."""
    reasons, passed = [], True
    for other in comparisons:
        if other.metric != metric:
            continue
        known_nothing = other.base == "constant"
        fine = other.least_gain > rules.min_gain if known_nothing else not other.significant_loss
        passed = passed and fine
        asked = f"a gain above {rules.min_gain:g}" if known_nothing else "no significant loss"
        reasons.append(
            f"{metric}: {other.difference:+.3f} against {other.base}, {rules.confidence:.0%} interval {other.interval.low:+.3f} to "
            f"{other.interval.high:+.3f}; asked: {asked}: {'yes' if fine else 'no'}"
        )
    return passed, tuple(reasons)
