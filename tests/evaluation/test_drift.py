"""Drift: like windows are left alone, changed ones are found, and the corrections are those of the books."""

from __future__ import annotations

import numpy as np
import pytest

from hatrack.core.errors import AdapterBroken, EvaluationError
from hatrack.evaluation.drift.compare import compare
from hatrack.evaluation.drift.sample import Sample
from hatrack.evaluation.drift.two_samples import adjusted, centroid_test, chi_squared, psi, psi_of_counts


def sample(rng, n, *, moved=0.0, longer=1.0, labels=(0.5, 0.3, 0.2), french=0.1, sure=8.0, embedder="e"):
    vectors = rng.normal(size=(n, 12)) + moved * np.eye(12)[0] + np.eye(12)[1] * 2
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = rng.choice(3, size=n, p=labels)
    spoken = rng.random(n) < french
    return Sample(
        lengths=np.round(rng.lognormal(4, 0.5, n) * longer),
        vectors=vectors.astype(np.float32),
        confidences=rng.beta(sure, 2, n),
        languages={"en": int((~spoken).sum()), "fr": int(spoken.sum())},
        labels={name: int((chosen == i).sum()) for i, name in enumerate("abc")},
        embedder=embedder,
    )


def test_of_100_windows_like_the_reference_at_least_95_are_left_alone():
    rng = np.random.default_rng(3)
    reference = sample(rng, 300)
    flagged = [compare(reference, sample(rng, 120), "a@1", 0.01, "holm").drifted for _ in range(100)]
    assert sum(flagged) <= 5


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"moved": 1.0}, "content"),
        ({"longer": 1.6}, "length"),
        ({"french": 0.5}, "language"),
        ({"labels": (0.1, 0.2, 0.7)}, "label"),
        ({"sure": 2.5}, "confidence"),
    ],
)
def test_a_window_in_which_one_thing_changed_is_flagged_for_that_thing(change, what):
    rng = np.random.default_rng(4)
    report = compare(sample(rng, 300), sample(rng, 150, **change), "a@1", 0.01, "holm")
    assert what in [test.what for test in report.tests if test.drifted]
    assert report.drifted


def test_content_that_only_spreads_wider_is_seen():
    rng = np.random.default_rng(5)
    reference, window = sample(rng, 400), sample(rng, 300)
    mean = window.vectors.mean(axis=0)
    vectors = (mean + 1.6 * (window.vectors - mean)).astype(np.float32)
    report = compare(
        reference, Sample(window.lengths, vectors, window.confidences, window.languages, window.labels, "e"), "a", 0.01, "holm"
    )
    assert "spread of content" in [test.what for test in report.tests if test.drifted]


def test_holm_and_benjamini_hochberg_are_those_of_the_books():
    p = [0.01, 0.04, 0.03, 0.005]
    assert adjusted(p, "holm") == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjusted(p, "bh") == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_psi_is_zero_for_equal_shares_and_that_of_a_hand_computed_case():
    assert psi_of_counts({"a": 50, "b": 50}, {"a": 5, "b": 5}) == pytest.approx(0)
    assert psi_of_counts({"a": 50, "b": 50}, {"a": 80, "b": 20}) == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4))
    values = np.arange(1000.0)
    assert psi(values, values) == pytest.approx(0)
    assert psi(values, values + 500) > 0.25


def test_chi_squared_takes_rare_categories_together_and_says_nothing_where_there_is_one():
    assert chi_squared({"en": 100}, {"en": 50}) == (0.0, 1.0)
    assert chi_squared({}, {"en": 3}) == (0.0, 1.0)
    many = {str(i): 1 for i in range(60)}
    assert chi_squared({"en": 500, **many}, {"en": 250, **{str(i): 1 for i in range(60, 90)}})[1] > 0.5
    assert chi_squared({"en": 400, "fr": 100, "de": 100}, {"en": 100, "fr": 100, "de": 20})[1] < 1e-6


def test_the_permutation_test_gives_every_p_value_equally_often_where_nothing_changed():
    rng = np.random.default_rng(6)
    values = [centroid_test(rng.normal(size=(40, 4)).astype("f4"), rng.normal(size=(30, 4)).astype("f4"), i)[1] for i in range(80)]
    assert 0.4 < np.mean(values) < 0.6
    assert np.mean(np.array(values) < 0.1) < 0.25


def test_too_few_requests_and_vectors_of_another_encoder_are_refused():
    rng = np.random.default_rng(7)
    with pytest.raises(EvaluationError, match="too few requests"):
        compare(sample(rng, 100), sample(rng, 10), "a", 0.01, "holm")
    with pytest.raises(EvaluationError, match="another embedder"):
        compare(sample(rng, 100), sample(rng, 100, embedder="f"), "a", 0.01, "holm")


def test_a_sample_comes_back_as_it_was_and_a_damaged_one_is_an_error(tmp_path):
    kept = sample(np.random.default_rng(8), 50)
    kept.save(tmp_path / "reference")
    found = Sample.load(tmp_path / "reference")
    assert found.labels == kept.labels
    assert np.allclose(found.vectors, kept.vectors, atol=1e-3)
    (tmp_path / "reference").write_bytes(b"{")
    with pytest.raises(AdapterBroken, match="reference of a version"):
        Sample.load(tmp_path / "reference")


def test_adwin_says_when_it_changed_and_is_quiet_when_it_did_not():
    pytest.importorskip("river")
    from hatrack.evaluation.drift.stream import change_points

    rng = np.random.default_rng(9)
    steady = rng.normal(0.5, 0.05, 400)
    assert change_points("x", steady.tolist()) == []
    changed = change_points("x", [*steady, *rng.normal(0.8, 0.05, 200)])
    assert changed
    assert abs(changed[0].at - 400) < 60
    assert changed[-1].after > 0.7
