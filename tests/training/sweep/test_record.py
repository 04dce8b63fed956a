"""Finished trainings of a sweep on disk."""

from __future__ import annotations

import contextlib

import pytest

from hatrack.training.sweep.record import Outcome, Records


def test_an_outcome_comes_back_exactly(tmp_path):
    records = Records(tmp_path)
    outcome = Outcome(epochs=1 / 3, score=0.1 + 0.2, loss=1.2345678901234567, seconds=2.5)
    records.keep("a", outcome)
    assert Records(tmp_path).find("a") == outcome
    assert records.find("b") is None


def test_a_torn_record_counts_as_not_there(tmp_path):
    (tmp_path / "a.json").write_text('{"epochs": 1, "sc')
    assert Records(tmp_path).find("a") is None


@pytest.mark.parametrize("ended", [KeyboardInterrupt, OSError])
def test_an_attempt_that_ends_in_order_does_not_count(tmp_path, ended):
    records = Records(tmp_path)
    for _ in range(5):
        with contextlib.suppress(ended), records.attempt("a"):
            raise ended
    assert not records.gave_up("a")


def test_after_three_sudden_ends_a_training_is_not_begun_again(tmp_path):
    begun = [Records(tmp_path).attempt("a") for _ in range(3)]
    for attempt in begun:
        assert not Records(tmp_path).gave_up("a")
        attempt.__enter__()  # a killed process leaves no block
    assert Records(tmp_path).gave_up("a")
    assert not Records(tmp_path).gave_up("b")


def test_a_finished_training_forgets_its_attempts(tmp_path):
    records = Records(tmp_path)
    with records.attempt("a"):
        pass
    records.keep("a", Outcome(epochs=1, score=1, loss=1))
    assert not list(tmp_path.glob("*.begun"))
