"""The gate: whether the evidence allows promotion, and why."""

from __future__ import annotations

from collections.abc import Sequence

from hatrack.core.config import GateRules
from hatrack.core.lineage import Comparison

__all__ = ["judge"]


def judge(metric: str, base: str, comparisons: Sequence[Comparison], rules: GateRules) -> tuple[bool, tuple[str, ...]]:
    """Decide on an adapter against the best base figure.

    It passes when the whole interval of the gain in ``metric`` lies above ``rules.min_gain`` and no metric of
    ``rules.no_worse`` falls significantly.
    """
    reasons = []
    against = {c.metric: c for c in comparisons if c.base == base}
    gain = against[metric]
    passed = gain.interval.low > rules.min_gain
    verdict = "above" if passed else "not above"
    reasons.append(
        f"{metric}: {gain.difference:+.3f} against {base}, {rules.confidence:.0%} interval "
        f"{gain.interval.low:+.3f} to {gain.interval.high:+.3f}; its lower end is {verdict} {rules.min_gain:g}"
    )
    for name in rules.no_worse:
        other = against.get(name)
        if other is not None and other.significant_loss:
            passed = False
            reasons.append(
                f"{name}: falls by {-other.difference:.3f}, significantly ({other.interval.low:+.3f} to {other.interval.high:+.3f})"
            )
    return passed, tuple(reasons)
