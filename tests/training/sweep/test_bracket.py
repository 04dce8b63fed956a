"""The rungs of successive halving."""

from __future__ import annotations

from hatrack.core.config_sweep import SweepSpace
from hatrack.training.sweep.bracket import bracket


def places(space, trials, whole):
    return [(rung.places, round(rung.share, 4)) for rung in bracket(space, trials, lambda share: int(whole * share))]


def test_a_third_goes_on_and_trains_three_times_as_long():
    assert places(SweepSpace(), 12, 900) == [(12, 0.1111), (4, 0.3333), (2, 1)]


def test_the_factor_and_the_number_of_rounds_can_be_chosen():
    assert places(SweepSpace(keep=2, rungs=4), 8, 900) == [(8, 0.125), (4, 0.25), (2, 0.5), (1, 1)]
    assert places(SweepSpace(rungs=1), 8, 900) == [(8, 1)]


def test_rounds_of_a_few_steps_are_left_out():
    assert places(SweepSpace(), 12, 60) == [(12, 0.3333), (4, 1)]
    assert places(SweepSpace(), 12, 5) == [(12, 1)], "the last one is always there"


def test_rounds_are_numbered():
    assert [(rung.number, rung.of) for rung in bracket(SweepSpace(), 12, lambda share: 100)] == [(1, 3), (2, 3), (3, 3)]
