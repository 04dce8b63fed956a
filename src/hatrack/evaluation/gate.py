"""The gate: whether the evidence allows promotion, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hatrack.core.config import GateRules
from hatrack.core.lineage import Comparison

__all__ = ["gated_metric", "judge"]

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
    becomes significantly worse than that of any base that was free to answer anything (``free``): one that can only
    choose among the labels has a perfect format for nothing.
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
    for other in comparisons:
        if other.metric in rules.no_worse and other.base in free and other.significant_loss:
            passed = False
            moves = "falls" if other.higher_is_better else "rises"
            reasons.append(
                f"{other.metric}: {moves} by {abs(other.difference):.3f} against {other.base}, significantly "
                f"({other.interval.low:+.3f} to {other.interval.high:+.3f})"
            )
    return passed, tuple(reasons)
