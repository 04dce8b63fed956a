"""What every model that learns from a stream promises, and that drift is flagged and overcome."""

from __future__ import annotations

import numpy as np
import pytest

from hatrack.tabular.fitting.models.base import TABLE_MODELS, Sample
from hatrack.tabular.fitting.streaming.base import LEARNERS
from hatrack.tabular.fitting.streaming.replay import replay, retrained

every_learner = pytest.mark.parametrize("name", LEARNERS.names())


def world(rows: int, seed: int, sign: int = 1) -> Sample:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, 3))
    target = (rng.random(rows) < 1 / (1 + np.exp(-4 * sign * matrix[:, 0]))).astype(float)
    return Sample(matrix, target, np.ones(rows), 2, np.zeros(3, np.int64), seed)


def shifted(seed: int = 5, old: int = 600, new: int = 1000) -> Sample:
    a, b = world(old, seed), world(new, seed + 1, -1)
    joined = (np.concatenate(pair) for pair in ((a.matrix, b.matrix), (a.target, b.target), (a.weight, b.weight)))
    return Sample(*joined, 2, a.monotone, seed)


def accuracy(probabilities, target):
    return float(((probabilities >= 0.5) == (target == 1)).mean())


@every_learner
def test_it_answers_one_half_before_it_knows_anything_and_then_learns(name):
    learner, data = LEARNERS.get(name)(), world(200, 1)
    assert learner.probabilities(data.matrix).tolist() == [0.5] * 200
    for seed in range(4):
        learner.learn(world(200, 10 + seed))
    assert accuracy(learner.probabilities(data.matrix), data.target) > 0.75


@every_learner
def test_its_stored_form_answers_as_it_does_and_does_not_learn_on(name):
    learner, data = LEARNERS.get(name)(), world(100, 2)
    learner.learn(world(300, 3))
    scorer = learner.scorer()
    if scorer is None:
        return
    before = scorer.margins(data.matrix)
    assert np.allclose(1 / (1 + np.exp(-before[:, 0])), learner.probabilities(data.matrix))
    learner.learn(world(300, 4, -1))
    assert np.array_equal(scorer.margins(data.matrix), before)


@every_learner
def test_a_planted_shift_is_flagged_and_the_champion_recovers(name):
    champion, stream = LEARNERS.get(name)(), shifted()
    champion.learn(world(500, 6))
    found = replay(champion, LEARNERS.get(name), stream)
    assert 600 <= found.drifts[0].row < 900
    assert 550 <= found.drifts[0].since <= 700
    assert accuracy(found.probabilities[:600], stream.target[:600]) > 0.75
    assert accuracy(found.probabilities[-300:], stream.target[-300:]) > 0.7


@every_learner
def test_it_goes_on_from_a_stored_model_of_its_own_kind_and_refuses_others(name):
    data = world(300, 11)
    stored = {kind: TABLE_MODELS.get(kind)().fit(data, {})[0] for kind in ("linear", "xgboost", "forest")}
    own = {"continued": ["xgboost"], "partial-fit": ["linear"], "river": []}[name]
    for kind, scorer in stored.items():
        learner = LEARNERS.get(name)()
        before = scorer.margins(data.matrix).copy()
        assert learner.resume(scorer) == (kind in own)
        if kind in own:
            assert np.allclose(learner.probabilities(data.matrix), 1 / (1 + np.exp(-before[:, 0])))
        else:
            assert learner.probabilities(data.matrix).tolist() == [0.5] * 300
        for seed in range(5):
            learner.learn(world(300, 20 + seed, -1))
        assert accuracy(learner.probabilities(data.matrix), 1 - data.target) > 0.7
        assert np.array_equal(scorer.margins(data.matrix), before)  # the stored model is another's


def test_what_continues_holds_to_monotone_columns():
    steady = Sample(*(getattr(world(300, 1), key) for key in ("matrix", "target", "weight")), 2, np.array([1, 0, 0]), 0)
    learner = LEARNERS.get("continued")()
    learner.learn(steady)
    other = world(300, 2, -1)
    learner.learn(Sample(other.matrix, other.target, other.weight, 2, steady.monotone, 0))
    line = np.zeros((50, 3))
    line[:, 0] = np.linspace(-2, 2, 50)
    assert (np.diff(learner.probabilities(line)) >= -1e-9).all()
    assert LEARNERS.get("continued").keeps_monotone


def test_a_challenger_that_is_not_better_is_given_up_and_the_champion_goes_on_learning():
    class Clueless:
        def learn(self, sample):
            pass

        def probabilities(self, matrix):
            return np.full(len(matrix), 1 - 1e-6)  # sure, and wrong half of the time

    champion, stream = LEARNERS.get("partial-fit")(), shifted(new=1800)
    champion.learn(world(500, 6))
    found = replay(champion, Clueless, stream, judged=200)
    assert found.drifts
    assert found.takeovers == []
    assert found.given_up[0] >= found.drifts[0].row + 4 * 200 - 100
    assert found.champion is champion
    assert accuracy(found.probabilities[-300:], stream.target[-300:]) > 0.75  # it has learned the new world all the same


def test_a_row_is_answered_before_its_truth_is_known():
    # every target is a coin: whoever answers better than chance has looked
    rng = np.random.default_rng(0)
    stream = Sample(rng.normal(size=(800, 3)), rng.integers(0, 2, 800).astype(float), np.ones(800), 2, np.zeros(3, np.int64), 0)
    champion = LEARNERS.get("continued")()
    champion.learn(stream.take(np.arange(100)))
    found = replay(champion, LEARNERS.get("continued"), stream.take(np.arange(100, 800)))
    assert accuracy(found.probabilities, stream.target[100:]) < 0.56


def test_a_challenger_takes_over_only_when_it_is_better():
    champion, stream = LEARNERS.get("continued")(), shifted()
    champion.learn(world(500, 6))
    found = replay(champion, LEARNERS.get("continued"), stream)
    assert found.takeovers
    assert found.takeovers[0] > found.drifts[0].row
    assert found.champion is not champion
    calm = replay(LEARNERS.get("continued")(), LEARNERS.get("continued"), world(800, 9))
    assert calm.takeovers == []


def test_retraining_sees_all_rows_so_far_and_none_to_come():
    stream = world(300, 8)
    found = retrained(LEARNERS.get("continued"), world(200, 7), stream)
    assert len(found.probabilities) == 300
    assert accuracy(found.probabilities, stream.target) > 0.75
