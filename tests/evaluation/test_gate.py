"""What the gate lets through, and the reasons it gives."""

from __future__ import annotations

import pytest

from hatrack.core.config import GateRules
from hatrack.core.errors import ConfigError
from hatrack.core.lineage import Comparison, Interval
from hatrack.evaluation.gate import check_rules, judge


def compared(metric="accuracy", base="base", low=0.05, high=0.2, **more):
    return Comparison(metric=metric, base=base, difference=(low + high) / 2, interval=Interval(low=low, high=high), **more)


@pytest.mark.parametrize(
    ("low", "min_gain", "passes"),
    [(0.03, 0.0, True), (0.0, 0.0, False), (-0.01, 0.0, False), (0.03, 0.02, True), (0.02, 0.02, False), (0.01, 0.02, False)],
)
def test_it_passes_only_when_the_whole_interval_lies_above_the_gain_asked_for(low, min_gain, passes):
    passed, reasons = judge("accuracy", "base", [compared(low=low)], GateRules(min_gain=min_gain), {"base"})
    assert passed is passes
    assert f"{low:+.3f} to +0.200" in reasons[0]
    assert ("not above" in reasons[0]) is not passes


def test_a_large_gain_with_a_wide_interval_is_no_proof():
    passed, _ = judge("accuracy", "base", [compared(low=-0.1, high=0.9)], GateRules(), {"base"})
    assert not passed


def test_the_gain_is_read_against_the_base_that_is_named():
    both = [compared(base="weak", low=0.5, high=0.6), compared(base="strong", low=-0.1, high=0.1)]
    assert not judge("accuracy", "strong", both, GateRules(), {"weak", "strong"})[0]
    assert judge("accuracy", "weak", both, GateRules(), {"weak", "strong"})[0]


def test_a_significant_loss_of_format_against_a_base_that_was_free_refuses():
    rows = [compared(), compared("format", low=-0.3, high=-0.1)]
    passed, reasons = judge("accuracy", "base", rows, GateRules(), {"base"})
    assert not passed
    assert reasons[1] == "format: falls by 0.200 against base, significantly (-0.300 to -0.100)"


def test_a_loss_of_format_against_a_base_that_could_only_choose_labels_does_not_refuse():
    rows = [compared(base="base-scored"), compared("format", "base-scored", -0.3, -0.1)]
    passed, reasons = judge("accuracy", "base-scored", rows, GateRules(), {"base-prompted"})
    assert passed
    assert len(reasons) == 1


def test_a_loss_that_may_be_chance_does_not_refuse():
    assert judge("accuracy", "base", [compared(), compared("format", low=-0.3, high=0.01)], GateRules(), {"base"})[0]


def test_only_the_metrics_listed_as_no_worse_can_refuse():
    rows = [compared(), compared("macro_f1", low=-0.3, high=-0.1)]
    assert judge("accuracy", "base", rows, GateRules(), {"base"})[0]
    assert not judge("accuracy", "base", rows, GateRules(no_worse=("macro_f1",)), {"base"})[0]


def test_where_lower_is_better_a_significant_rise_is_the_loss():
    slower = compared("latency_p50_ms", low=5, high=9, higher_is_better=False)
    faster = compared("latency_p50_ms", low=-9, high=-5, higher_is_better=False)
    rules = GateRules(no_worse=("latency_p50_ms",))
    assert not judge("accuracy", "base", [compared(), slower], rules, {"base"})[0]
    assert judge("accuracy", "base", [compared(), faster], rules, {"base"})[0]


def test_a_tolerated_loss_is_let_pass_and_a_larger_one_is_not():
    rows = [compared(), compared("format", low=-0.3, high=-0.1)]
    assert judge("accuracy", "base", rows, GateRules(tolerate={"format": 0.15}), {"base"})[0]
    assert not judge("accuracy", "base", rows, GateRules(tolerate={"format": 0.05}), {"base"})[0]


def test_latency_is_the_median_and_is_compared_with_a_base_that_was_not_free_too():
    slower = compared("latency_p50_ms", low=5, high=9, higher_is_better=False)
    rules = GateRules(no_worse=("latency",))
    assert not judge("accuracy", "base", [compared(), slower], rules, set())[0]
    assert judge("accuracy", "base", [compared(), slower], GateRules(no_worse=("latency",), tolerate={"latency": 6}), set())[0]


def test_rules_that_would_watch_nothing_are_refused_together():
    with pytest.raises(ConfigError) as refused:
        check_rules(GateRules(metric="acuracy", no_worse=("saftey", "format"), tolerate={"general": 0.1}))
    text = str(refused.value)
    assert "did you mean accuracy?" in text
    assert "did you mean safety?" in text
    assert "general is not in gate.no_worse" in text
    check_rules(GateRules(no_worse=("safety", "general", "latency", "format"), tolerate={"general": 0.1}))
