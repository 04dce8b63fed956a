"""Lengths in tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatrack.data.quality.lengths import Measured, histogram, token_lengths
from hatrack.data.quality.record import Basis


def lengths_of(numbers, max_length=100, trained=2):
    return token_lengths([Measured(n, trained) for n in numbers], max_length, Basis(rows=len(numbers), of=len(numbers)))


def test_quantiles_are_of_whole_rows_and_the_total_of_cut_ones():
    found = lengths_of([*range(1, 100), 500])
    assert found.quantiles == {"p5": 6, "p50": 51, "p95": 96, "p99": 500, "max": 500}
    assert found.total == sum(range(1, 100)) + 100
    assert found.trained == 200
    assert found.trained_share == pytest.approx(200 / found.total)


def test_only_rows_longer_than_max_length_are_cut():
    found = lengths_of([99, 100, 101, 500])
    assert found.truncated_rows == 2
    assert found.truncated_share == 0.5


def test_labels_are_measured_apart_the_longest_first():
    measured = [Measured(n, 1, label) for label, numbers in {"short": (4, 5, 6), "long": (40, 50, 60)}.items() for n in numbers]
    found = token_lengths(measured, 100, Basis(rows=6, of=6)).by_label
    assert [(one.label, one.rows, one.median, one.p95) for one in found] == [("long", 3, 50, 60), ("short", 3, 5, 6)]


def test_no_row_at_all_is_no_error():
    assert lengths_of([]).quantiles["max"] == 0


@given(st.lists(st.integers(min_value=1, max_value=10_000), min_size=1))
def test_every_row_is_in_one_bin_or_beyond(numbers):
    found = histogram(numbers)
    assert sum(found.counts) + found.beyond == len(numbers)
    assert len(found.counts) <= 30
    assert str(found.width).rstrip("0") in ("1", "2", "5")


def test_a_bin_begins_at_its_width():
    found = histogram([0, 1, 2, 3, 39])
    assert found.width == 2
    assert found.counts[:2] == (2, 2)
    assert found.counts[19] == 1
