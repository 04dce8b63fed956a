"""What is tried next."""

from __future__ import annotations

import itertools

from hatrack.training.sweep.propose import propose
from hatrack.training.sweep.space import Settings, Space


def point(method="lora", rank=4, times=1.0):
    return Settings(method, {}, 1e-3 * times, times, rank, None, None, 100 * (rank or 1))


OWN = point(rank=5)
METHODS = ("lora", "dora", "rslora", "pissa")
SPACE = Space(OWN, (*(point(*at) for at in itertools.product(METHODS, (2, 4, 8, 16), (0.3, 1.0, 3.0))), point("ia3", None)), ())


def tried(space, trials, seed, merit=lambda settings: 0.0):
    seen = []
    while len(seen) < trials and (settings := propose(space, seen, trials, seed)) is not None:
        seen.append((settings, merit(settings)))
    return [settings for settings, _ in seen]


def test_the_adapters_own_settings_come_first_and_nothing_twice():
    found = tried(SPACE, 40, 1)
    assert found[0] is OWN
    assert len({settings.key for settings in found}) == 40


def test_a_space_that_is_smaller_than_asked_for_is_tried_whole():
    small = Space(OWN, SPACE.others[:5], ())
    assert {s.key for s in tried(small, 12, 1)} == {OWN.key, *(s.key for s in small.others)}


def test_while_everything_fails_the_space_is_gone_through():
    assert len(tried(SPACE, 20, 1, lambda settings: None)) == 20


def test_proposals_follow_from_seed_and_scores_alone():
    def merit(settings):
        return -abs((settings.rank or 0) - 8.0)

    assert tried(SPACE, 12, 5, merit) == tried(SPACE, 12, 5, merit)
    assert tried(SPACE, 12, 5, merit) != tried(SPACE, 12, 6, merit)


def test_later_proposals_go_where_scores_were_good():
    def merit(settings):
        return (settings.method == "dora") + 0.1 * settings.times

    share = [sum(s.method == "dora" for s in tried(SPACE, 20, seed, merit)[10:]) for seed in range(6)]
    assert sum(share) / 60 > 0.6, "a quarter of the space is dora"


def test_what_fails_is_not_proposed_for_ever():
    def merit(settings):
        return None if settings.method in ("dora", "pissa") else 0.1 * settings.times

    found = [s for seed in range(6) for s in tried(SPACE, 20, seed, merit)[10:]]
    assert sum(s.method in ("dora", "pissa") for s in found) / len(found) < 0.25, "half of the space fails"
