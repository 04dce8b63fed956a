"""Corrections for many tests, and tests by chance alone: hand-computed cases, scipy's figures, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hatrack.evaluation import statistics
from hatrack.evaluation.statistics import bca_interval, group_p, holm, mcnemar_p, permutation_p


def mean(rows):
    return float(rows.mean())


def test_holm_by_hand():
    # sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, never falling
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2]) == [0.2]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_p_values_and_bonferroni_and_keeps_their_order(p_values):
    adjusted = holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1.0, p * len(p_values)) + 1e-15
    assert [adjusted[i] for i in np.argsort(p_values, kind="stable")] == sorted(adjusted)


@pytest.mark.parametrize(("only_a", "only_b"), [(9, 1), (30, 12), (5, 5), (0, 7)])
def test_mcnemar_is_scipys_exact_binomial_test(only_a, only_b):
    a = np.array([1] * only_a + [0] * only_b + [1] * 20, float)
    b = np.array([0] * only_a + [1] * only_b + [1] * 20, float)
    assert mcnemar_p(a, b) == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)


def test_the_permutation_test_is_scipys():
    rng = np.random.default_rng(3)
    a, b = rng.random((40, 1)) + 0.1, rng.random((40, 1))
    theirs = stats.permutation_test(
        (a[:, 0], b[:, 0]), lambda x, y: x.mean() - y.mean(), permutation_type="samples", n_resamples=4000, rng=0
    ).pvalue
    assert permutation_p(mean, a, b, 0, 4000) == pytest.approx(theirs, abs=0.02)


def test_the_permutation_test_says_nothing_of_equal_systems_and_much_of_different_ones():
    rows = np.random.default_rng(0).random((50, 1))
    assert permutation_p(mean, rows, rows, 0, 200) == 1
    assert permutation_p(mean, rows + 1, rows, 0, 200) == pytest.approx(1 / 201)


def test_a_group_is_told_from_the_rest_only_where_it_differs():
    rows = np.ones((60, 1))
    inside = np.arange(60) < 20
    assert group_p(mean, rows, inside, 0, 200) == 1
    rows[inside] = 0
    assert group_p(mean, rows, inside, 0, 200) < 0.01
    assert group_p(mean, rows, np.ones(60, bool), 0) == 1


def test_a_95_percent_interval_covers_the_truth_in_93_to_97_of_100_of_a_thousand_simulated_sets(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
    rng = np.random.default_rng(11)
    covered = 0
    for seed in range(1000):
        skill = rng.random(100)
        rows = np.column_stack([rng.random(100) < 0.35 + 0.6 * skill, rng.random(100) < 0.3 + 0.6 * skill]).astype(float)
        interval = bca_interval(lambda chosen: float(chosen[:, 0].mean() - chosen[:, 1].mean()), rows, 0.95, seed)
        covered += interval.low <= 0.05 <= interval.high
    assert 930 <= covered <= 970
