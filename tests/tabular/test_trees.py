"""Stored trees answer what scikit-learn answers, and explain what shap explains."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from hatrack.core.errors import AdapterBroken
from hatrack.tabular.fitting.models import forest, histogram
from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.scorers.arrays import read_arrays, write_arrays
from hatrack.tabular.scorers.trees import TreeScorer

RNG = np.random.default_rng(7)
MATRIX = RNG.normal(size=(250, 6))
TARGET = (MATRIX[:, 0] + MATRIX[:, 1] * MATRIX[:, 2] + 0.5 * RNG.normal(size=250) > 0).astype(float)
HOLES = np.where(RNG.random(MATRIX.shape) < 0.1, np.nan, MATRIX)
SAMPLE = Sample(HOLES, TARGET, np.ones(250), 2, np.zeros(6, np.int64), 1)


@pytest.fixture(scope="module")
def forest_pair():
    model = RandomForestClassifier(25, random_state=1, min_samples_leaf=2).fit(HOLES, TARGET)
    return model, forest._scorer([one.tree_ for one in model.estimators_], SAMPLE)


@pytest.fixture(scope="module")
def boosted_pair():
    model = HistGradientBoostingClassifier(max_iter=30, random_state=1, max_leaf_nodes=8).fit(HOLES, TARGET)
    return model, histogram._scorer(model, SAMPLE)


def test_a_forest_gives_scikit_learns_probabilities(forest_pair):
    model, scorer = forest_pair
    assert np.allclose(scorer.margins(HOLES)[:, 0], model.predict_proba(HOLES)[:, 1], atol=1e-12)


def test_boosting_gives_scikit_learns_log_odds(boosted_pair):
    model, scorer = boosted_pair
    assert np.allclose(scorer.margins(HOLES)[:, 0], model.decision_function(HOLES), atol=1e-12)


@pytest.mark.parametrize("pair", ["forest_pair", "boosted_pair"])
def test_values_equal_those_of_shap(pair, request):
    shap = pytest.importorskip("shap", reason="the extra tables is not installed")
    model, scorer = request.getfixturevalue(pair)
    rows = MATRIX[:12]  # shap's own C code has no rule for NaN in scikit-learn's trees
    theirs = np.asarray(shap.TreeExplainer(model, feature_perturbation="tree_path_dependent").shap_values(rows))
    ours, _ = scorer.contributions(rows)
    assert np.abs(ours[:, 0] - (theirs[:, :, 1] if theirs.ndim == 3 else theirs)).max() < 1e-5


def test_rows_fall_into_the_same_leaves_with_and_without_numba(forest_pair, monkeypatch):
    from hatrack.tabular.scorers import trees

    _, scorer = forest_pair
    assert np.isnan(HOLES).any()
    assert trees._compiled() is not None
    for rows in (HOLES, HOLES[:1], HOLES[:0]):
        compiled = scorer.margins(rows)
        with monkeypatch.context() as without:
            without.setattr(trees, "_compiled", lambda: None)
            assert np.array_equal(scorer.margins(rows), compiled)


def test_values_by_hand():
    # one split, three quarters of the rows to the left: a row on the right gets all of the difference to the mean
    ints = lambda *values: np.array(values, np.int32)  # noqa: E731
    tree = TreeScorer(
        ints(0), ints(1, -1, -1), np.array([0.5, 0, 0]), ints(1, 0, 0), ints(2, 0, 0), np.array([True, False, False]),
        np.array([[0.0], [2.0], [10.0]]), np.array([4.0, 3.0, 1.0]), np.zeros(1), ints(3), np.array([False]), "value",
    )  # fmt: skip
    values, start = tree.contributions(np.array([[9.0, 1.0, 9.0], [9.0, np.nan, 9.0]]))
    assert start.tolist() == [4.0]
    assert np.allclose(values[:, 0], [[0, 6, 0], [0, -2, 0]])


def test_F22_trees_that_would_walk_in_circles_are_refused(tmp_path, forest_pair):
    _, scorer = forest_pair
    scorer.save(tmp_path, "scorer")
    path = tmp_path / "scorer.safetensors"
    names = ("roots", "feature", "threshold", "left", "right", "missing_left", "value", "cover", "bias", "width", "single")
    arrays, link = read_arrays(path, names)
    write_arrays(path, {**arrays, "left": np.zeros_like(arrays["left"])}, link)
    with pytest.raises(AdapterBroken, match="damaged"):
        TreeScorer.load(tmp_path, "scorer")
