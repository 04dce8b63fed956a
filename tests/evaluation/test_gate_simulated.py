"""The gate's promise: at 95 %, of adapters that are no better than the base hardly any passes."""

from __future__ import annotations

import numpy as np

from hatrack.core.config import GateRules
from hatrack.core.lineage import Comparison, Interval
from hatrack.core.verdict import judge
from hatrack.evaluation.statistics import bca_interval, mcnemar_p

COMPARISONS, ROWS = 1000, 120


def passes(rng: np.random.Generator, base: float, adapter: float) -> bool:
    """One simulated comparison on the same rows, half of what is right being right for both."""
    hard = rng.random(ROWS) < 0.5
    theirs, ours = (np.where(hard, rng.random(ROWS) < share, rng.random(ROWS) < 0.6).astype(float) for share in (base, adapter))
    p = mcnemar_p(ours, theirs)
    both = np.stack([ours, theirs], axis=1)
    total = float(np.mean(ours - theirs))
    # Intervals take time: where McNemar's test must refuse, the gate is given the most favourable one.
    sure = Interval(low=total, high=total)
    interval = bca_interval(lambda rows: float((rows[:, 0] - rows[:, 1]).mean()), both, 0.95, 13) if p <= 0.05 else sure
    gain = Comparison(metric="accuracy", base="base", difference=total, interval=interval, p_value=p)
    return judge("accuracy", "base", [gain], GateRules(), {"base"})[0]


def test_of_1000_adapters_that_are_no_better_at_most_5_percent_pass():
    rng = np.random.default_rng(7)
    passed = sum(passes(rng, 0.5, 0.5) for _ in range(COMPARISONS))
    assert passed <= 0.05 * COMPARISONS


def test_and_most_that_are_much_better_do():
    rng = np.random.default_rng(7)
    assert sum(passes(rng, 0.2, 0.8) for _ in range(12)) >= 11
