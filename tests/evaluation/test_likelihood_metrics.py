"""Perplexity and the two figures of preference, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hatrack.evaluation.metrics.base import METRICS, Answers


def figure(name, likelihoods, reference=None):
    scores = np.array(likelihoods, float)
    base = np.array(likelihoods if reference is None else reference, float)
    answers = Answers([""] * len(scores), [""] * len(scores), likelihoods=scores, reference=base)
    metric = METRICS.get(name)()
    return metric.total(metric.rows(answers))


def test_perplexity_is_over_all_tokens_not_over_rows():
    # two tokens of probability 1/2 and one of 1/8: exp of the mean of log 2, log 2 and log 8
    rows = [[[2 * math.log(1 / 2), 2]], [[math.log(1 / 8), 1]]]
    assert figure("perplexity", rows) == pytest.approx(32 ** (1 / 3))


def test_preference_accuracy_is_of_the_log_probability_for_each_token():
    long_and_better = [[-6.0, 6], [-4.0, 2]]  # -1 a token against -2, though the sum is lower
    short_and_worse = [[-3.0, 1], [-4.0, 4]]
    tied = [[-2.0, 2], [-3.0, 3]]
    assert figure("preference_accuracy", [long_and_better]) == 1
    assert figure("preference_accuracy", [short_and_worse]) == 0
    assert figure("preference_accuracy", [tied]) == 0
    assert figure("preference_accuracy", [long_and_better, short_and_worse, tied, tied]) == 0.25


def test_reward_accuracy_is_of_what_was_gained_over_the_base():
    base = [[[-5.0, 5], [-1.0, 5]]] * 4
    now = [[[-4.0, 5], [-1.0, 5]], [[-5.0, 5], [-2.0, 5]], [[-5.5, 5], [-1.0, 5]], [[-5.0, 5], [-1.0, 5]]]
    assert figure("reward_accuracy", now, base) == (1 + 1 + 0 + 0.5) / 4
    assert figure("reward_accuracy", base, base) == 0.5
