"""Intervals that cover what they say, and McNemar's exact test."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from hatrack.core.errors import EvaluationError
from hatrack.evaluation import statistics
from hatrack.evaluation.statistics import bca_interval, mcnemar_p


def mean_difference(rows):
    return float(rows[:, 0].mean() - rows[:, 1].mean())


def test_a_95_percent_interval_covers_the_true_gain_about_95_times_in_100(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 200)
    rng = np.random.default_rng(7)
    covered, sets = 0, 200
    for seed in range(sets):
        base = (rng.random(80) < 0.6).astype(float)
        # right where the base is right nine times in ten, and half the time where it is wrong: 0.74 on average
        ours = np.where(base == 1, rng.random(80) < 0.9, rng.random(80) < 0.5).astype(float)
        interval = bca_interval(mean_difference, np.column_stack([ours, base]), 0.95, seed)
        covered += interval.low <= 0.14 <= interval.high
    assert 0.90 <= covered / sets <= 0.99


def test_pairing_the_rows_makes_the_interval_of_the_difference_narrow():
    rng = np.random.default_rng(0)
    skill = rng.random(100)
    paired = np.column_stack([skill + 0.1 + 0.001 * rng.random(100), skill])
    interval = bca_interval(mean_difference, paired, 0.95, 0)
    assert interval.high - interval.low < 0.001
    assert 0.1 <= interval.low <= interval.high <= 0.101


def test_more_confidence_is_a_wider_interval():
    rows = np.random.default_rng(1).random((60, 2))
    narrow, wide = (bca_interval(mean_difference, rows, confidence, 0) for confidence in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert (narrow.confidence, wide.confidence) == (0.8, 0.99)


def test_the_same_seed_gives_the_same_interval():
    rows = np.random.default_rng(2).random((40, 2))
    assert bca_interval(mean_difference, rows, 0.95, 3) == bca_interval(mean_difference, rows, 0.95, 3)
    assert bca_interval(mean_difference, rows, 0.95, 3) != bca_interval(mean_difference, rows, 0.95, 4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_rows_that_are_all_alike_give_an_interval_without_width_and_without_a_warning(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interval = bca_interval(lambda rows: float(rows.mean()), np.full((30, 1), value), 0.95, 0)
    assert (interval.low, interval.high) == (value, value)


def test_one_row_has_no_interval():
    with pytest.raises(EvaluationError) as refused:
        bca_interval(mean_difference, np.array([[1.0, 0.0]]), 0.95, 0)
    assert refused.value.given == "1 test rows"


def results(both, only_a, only_b, neither):
    a = np.array([1] * both + [1] * only_a + [0] * only_b + [0] * neither, float)
    b = np.array([1] * both + [0] * only_a + [1] * only_b + [0] * neither, float)
    return a, b


def test_mcnemar_by_hand():
    # five rows only we get right, none only the base: two-sided 2 * (1/2)^5
    assert mcnemar_p(*results(10, 5, 0, 3)) == pytest.approx(2 * 0.5**5)
    # one against one says nothing
    assert mcnemar_p(*results(4, 1, 1, 4)) == 1.0
    # eight against two: 2 * (1 + 10 + 45) / 1024
    assert mcnemar_p(*results(0, 8, 2, 0)) == pytest.approx(2 * 56 / 1024)


@pytest.mark.parametrize(("only_a", "only_b"), [(12, 3), (3, 12), (7, 7), (40, 20)])
def test_mcnemar_is_the_exact_binomial_test_on_the_rows_that_differ(only_a, only_b):
    tail = stats.binom.cdf(min(only_a, only_b), only_a + only_b, 0.5)
    assert mcnemar_p(*results(5, only_a, only_b, 9)) == pytest.approx(min(1.0, 2 * tail))


def test_mcnemar_is_one_where_the_two_never_disagree():
    assert mcnemar_p(*results(6, 0, 0, 4)) == 1.0
