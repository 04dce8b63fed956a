"""Which texts of one set stand in another: all that do, each with one it is really like."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.data.duplicates.overlaps import Overlap, overlaps
from hatrack.data.duplicates.shingles import shingles
from hatrack.data.records import normalised

WORDS = [f"w{i}" for i in range(400)]


def jaccard(a: str, b: str) -> float:
    x, y = shingles(normalised(a)), shingles(normalised(b))
    return len(x & y) / len(x | y)


def long_text(seed: int, words: int = 60) -> list[str]:
    rng = random.Random(seed)
    return [rng.choice(WORDS) for _ in range(words)]


def test_an_equal_text_is_shown_with_the_first_one_that_it_equals():
    assert overlaps(["new", "Old text!", "old, text"], ["other", "OLD TEXT", "old text"], 1.0) == [Overlap(1, 1, 1.0), Overlap(2, 1, 1.0)]


def test_a_nearly_equal_text_is_shown_with_its_similarity_and_counts_only_from_the_threshold_on():
    words = long_text(1)
    train, test = [" ".join(long_text(2)), " ".join([*words[:-1], "other"])], [" ".join(long_text(3)), " ".join(words)]
    assert overlaps(train, test, 0.9) == [Overlap(1, 1, pytest.approx(jaccard(train[1], test[1])))]
    assert overlaps(train, test, 0.99) == []
    assert overlaps(train, test, 1.0) == []


def test_a_text_that_is_near_one_that_others_equal_is_found_too():
    words = long_text(1)
    whole, near = " ".join(words), " ".join([*words[:-1], "other"])
    found = overlaps([whole, near, near.upper()], [whole], 0.9)
    assert [(one.index, one.other) for one in found] == [(0, 0), (1, 0), (2, 0)]
    assert [one.similarity for one in found] == [1.0, pytest.approx(jaccard(whole, near)), pytest.approx(jaccard(whole, near))]


def test_no_chain_leads_from_one_set_to_the_other():
    words = long_text(1)
    steps = [" ".join([*(f"x{i}" for i in range(n)), *words[n:]]) for n in (0, 4, 8)]
    assert jaccard(steps[0], steps[1]) > 0.8
    assert jaccard(steps[1], steps[2]) > 0.8
    assert jaccard(steps[0], steps[2]) < 0.8
    assert [one.index for one in overlaps(steps[:2], steps[2:], 0.8)] == [1]


def test_a_crowd_of_look_alikes_hides_no_overlap():
    letters = [f"Dear customer {i * 7919}, your request {i * 104729} was received and will be answered within a week." for i in range(3000)]
    test = [letters[i].replace("will be answered", "shall be answered") for i in range(0, 3000, 100)]
    expected = {i: at for at, i in enumerate(range(0, 3000, 100))}
    found = {one.index: one.other for one in overlaps(letters, test, 0.6) if one.index in expected}
    assert {i: found.get(i) for i in expected} == expected


@pytest.mark.parametrize(("train", "test"), [([], ["a"]), (["a"], []), ([], [])])
def test_nothing_overlaps_with_nothing(train, test):
    assert overlaps(train, test, 0.9) == []


TEXTS = st.lists(
    st.lists(st.sampled_from(["red", "blue", "Red", "tree", "bird", "fish", "one"]), min_size=1, max_size=12).map(" ".join), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([0.5, 0.8, 1.0]))
def test_what_is_shown_is_true_and_nothing_equal_is_left_out(train, test, threshold):
    found = overlaps(train, test, threshold)
    assert [one.index for one in found] == sorted({one.index for one in found})
    for one in found:
        equal = normalised(train[one.index]) == normalised(test[one.other])
        assert one.similarity == pytest.approx(1.0 if equal else jaccard(train[one.index], test[one.other]))
        assert one.similarity >= threshold
    missed = set(range(len(train))) - {one.index for one in found}
    assert not {normalised(train[i]) for i in missed} & {normalised(text) for text in test}
    assert not [i for i in missed for text in test if threshold < 1 and jaccard(train[i], text) >= min(1, threshold + 0.35)]
