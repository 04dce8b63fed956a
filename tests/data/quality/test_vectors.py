"""Rows as vectors."""

import numpy as np
import pytest

from hatrack.data.quality.vectors import Vectors, plane, spread, vectors
from quality_rows import labelled


def dense(rows):
    array = np.asarray(rows, dtype=np.float32)
    return Vectors(array / np.linalg.norm(array, axis=1, keepdims=True), "made")


def test_word_vectors_have_unit_length_and_ignore_case_and_punctuation():
    found = vectors(["The red lamp!", "the red lamp", "a fish"]).rows.toarray()
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)
    assert found[0] @ found[1] == pytest.approx(1)
    assert found[0] @ found[2] == 0


def test_word_vectors_keep_the_words_that_most_texts_hold():
    found = vectors(["red lamp"] * 3 + ["blue"], features=1).rows.toarray()
    assert found.shape == (4, 1)
    assert found[3, 0] == 0


def test_the_mean_distance_is_that_of_all_pairs():
    given = dense(np.random.default_rng(0).normal(size=(40, 5)))
    pairs = [1 - given.rows[i] @ given.rows[j] for i in range(40) for j in range(40) if i != j]
    assert spread(given, 40).mean_distance == pytest.approx(np.mean(pairs), abs=1e-6)


def test_rows_with_a_near_twin_are_counted_and_a_row_is_not_its_own_twin():
    found = spread(dense([[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 0, 1]]), 4)
    assert found.close_share == 0.5


def test_sparse_and_dense_vectors_of_the_same_rows_agree():
    words = vectors([row.text for row in labelled(60)])
    sparse, full = spread(words, 60), spread(Vectors(words.rows.toarray(), "words"), 60)
    assert sparse.close_share == full.close_share
    assert sparse.mean_distance == pytest.approx(full.mean_distance)


def test_what_is_spread_over_one_direction_lies_on_the_first_axis():
    rows = [[1, t, 0.01 * (t % 3), 0] for t in range(20)]
    points = plane(Vectors(np.asarray(rows, dtype=np.float32), "made"), 20)
    xs, ys = [abs(x) for x, _ in points], [abs(y) for _, y in points]
    assert max(xs) == 1
    assert max(ys) < 0.01


def test_rows_of_one_kind_lie_together_on_the_plane():
    rows = labelled(90)
    points = plane(vectors([row.text for row in rows]), 90)
    places = {
        label: np.mean([p for p, row in zip(points, rows, strict=True) if row.label == label], axis=0) for label in ("weather", "railway")
    }
    assert np.linalg.norm(places["weather"] - places["railway"]) > 0.3


def test_two_rows_have_no_plane():
    assert plane(dense([[1, 0, 0], [0, 1, 0]]), 10) == []
