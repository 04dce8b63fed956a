"""From answers to a recommendation, on answers whose order and prices are known."""

from __future__ import annotations

import numpy as np
import pytest

from hatrack.core.config_compare import CompareSettings
from hatrack.evaluation.metrics.base import Answers
from hatrack.evaluation.metrics.classification import Accuracy
from hatrack.workflows.bakeoff.attempt import Outcome
from hatrack.workflows.bakeoff.base import Traits
from hatrack.workflows.bakeoff.curves import curve_of
from hatrack.workflows.bakeoff.verdict import Measured, entries_of, recommend

ROWS = 200
PRICES = {"machine_hour": 3.6, "input_million": 1.0, "output_million": 4.0}


def answers(right):
    """The first ``right`` of the rows are right."""
    return Answers(["yes"] * right + ["no"] * (ROWS - right), ["yes"] * ROWS, ("no", "yes"))


def measured(name, right, ms=10.0, fit=0.0, offline=True, explainable=False, memory=10.0, tokens=(0.0, 0.0)):
    outcome = Outcome(approach=name, rows=100, fit_seconds=fit, latencies_ms=(ms,) * 20, memory_mb=memory, tokens=tokens)
    return Measured(name, Traits(name, "classical", offline=offline, explainable=explainable), outcome, answers(right), f"{name}.jsonl")


def verdict(*found, **keys):
    settings = CompareSettings.model_validate({"prices": PRICES, "requests": 1000, **keys})
    entries = entries_of(found, [Accuracy()], settings, 0.95, 1)
    return entries, recommend(entries, "accuracy", settings, 0.95)


def test_the_cheapest_that_is_not_significantly_worse_is_recommended():
    entries, found = verdict(measured("large", 180, ms=500), measured("small", 178, ms=5), measured("chance", 60, ms=0.1))
    assert [entry.approach for entry in entries] == ["large", "small", "chance"]
    assert found.approach == "small"
    assert entries[1].p == 0.5  # two rows against none: twice a quarter, and Holm leaves the largest as it is
    assert entries[2].p < 1e-6
    assert "not significantly worse" in found.reasons[1]


def test_one_that_is_significantly_worse_is_not_however_cheap():
    entries, found = verdict(measured("large", 180, ms=500), measured("small", 170, ms=5))
    assert entries[1].p == pytest.approx(2 * 0.5**10)
    assert found.approach == "large"
    assert "every other approach is significantly worse" in found.reasons[1]


def test_costs_are_those_of_the_stated_prices():
    # an hour costs 3.6: a second 0.001. 10 ms a request: 0.01 for a thousand; 20 s of training: 0.02
    entries, _ = verdict(measured("local", 100, ms=10, fit=20))
    assert entries[0].cost_per_1000 == pytest.approx(0.01)
    assert entries[0].total_cost == pytest.approx(0.03)
    # 500 prompt tokens at 1 and 10 answer tokens at 4 a million: 0.00054 a request
    entries, _ = verdict(measured("hosted", 100, offline=False, tokens=(500.0, 10.0)))
    assert entries[0].cost_per_1000 == pytest.approx(0.54)


def test_many_requests_make_training_cheap():
    trained, untrained = measured("trained", 150, ms=1, fit=3600), measured("untrained", 150, ms=20)
    assert verdict(trained, untrained, requests=1000)[1].approach == "untrained"
    assert verdict(trained, untrained, requests=10**6)[1].approach == "trained"


def test_a_model_without_a_stated_price_is_never_the_cheapest():
    hosted, local = measured("hosted", 150, offline=False, tokens=(1.0, 1.0)), measured("local", 150, ms=5000)
    entries, found = verdict(hosted, local, prices={"machine_hour": 100})
    assert {entry.approach: entry.total_cost for entry in entries}["hosted"] is None
    assert found.approach == "local"


def test_wishes_leave_out_and_say_what_they_cost():
    large, small = measured("large", 190, ms=500, memory=900), measured("small", 120, ms=5, explainable=True)
    entries, found = verdict(large, small, wishes={"max_latency_ms": 50})
    assert entries[0].broken == ("p95 500 ms, 50 are allowed",)
    assert found.approach == "small"
    assert "significantly worse than large" in found.reasons[1]
    _, none = verdict(large, small, wishes={"max_memory_mb": 5})
    assert none.approach is None
    assert "900 MB of memory, 5 are allowed" in none.reasons[0]
    hosted = measured("hosted", 190, offline=False)
    assert verdict(hosted, small, wishes={"offline": True})[1].approach == "small"
    assert verdict(large, small, wishes={"explainable": True})[1].approach == "small"


def test_p_values_are_corrected_for_the_number_of_approaches():
    two, _ = verdict(measured("a", 180), measured("b", 174))
    many, _ = verdict(measured("a", 180), *(measured(f"b{i}", 174) for i in range(5)))
    assert two[1].p == pytest.approx(2 * 0.5**6)
    assert many[1].p == pytest.approx(5 * 2 * 0.5**6)


def test_a_curve_that_still_rises_says_so_and_a_flat_one_does_not():
    rising = curve_of("a", Accuracy(), [(10, answers(60)), (30, answers(100)), (100, answers(150))], 0.95, 1)
    assert (rising.gain, rising.interval.low > 0) == (0.25, True)
    assert rising.verdict.startswith("more data would probably help: from 30 to 100 rows the score changes by +0.250")
    flat = curve_of("a", Accuracy(), [(30, answers(150)), (100, answers(151))], 0.95, 1)
    assert flat.verdict.startswith("more data would help little")
    falling = curve_of("a", Accuracy(), [(30, answers(180)), (100, answers(100))], 0.95, 1)
    assert "did harm" in falling.verdict
    assert np.isclose(falling.gain, -0.4)
