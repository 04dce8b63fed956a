"""Clusters of equal and nearly equal texts: found by MinHash, decided by exact Jaccard."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.data.duplicates.clusters import clusters
from hatrack.data.duplicates.shingles import shingles
from hatrack.data.records import normalised

WORDS = [f"w{i}" for i in range(400)]


def jaccard(a: str, b: str) -> float:
    x, y = shingles(normalised(a)), shingles(normalised(b))
    return len(x & y) / len(x | y)


def long_text(seed: int, words: int = 60) -> list[str]:
    rng = random.Random(seed)
    return [rng.choice(WORDS) for _ in range(words)]


def test_texts_that_differ_in_case_and_punctuation_only_are_one_cluster():
    assert clusters(["Pay the bill!", "Something else", "pay, the  BILL"], 1.0) == [0, 1, 0]


def test_a_text_with_one_word_changed_is_near_and_with_half_changed_is_not():
    words = long_text(1)
    near, far = [*words[:-1], "other"], [*words[:30], *long_text(2, 30)]
    texts = [" ".join(text) for text in (words, near, far)]
    assert jaccard(texts[0], texts[1]) > 0.9 > 0.5 > jaccard(texts[0], texts[2])
    assert clusters(texts, 0.9) == [0, 0, 2]


def test_at_threshold_one_only_equal_texts_are_together():
    words = long_text(1)
    assert clusters([" ".join(words), " ".join([*words[:-1], "other"])], 1.0) == [0, 1]


def test_candidates_below_the_threshold_are_removed_again():
    # similar enough to share bands of the sketch, not similar enough to count
    texts = []
    for seed in range(40):
        words = long_text(seed)
        texts += [" ".join(words), " ".join([*words[:26], "x", "y", *words[28:]])]
    assert all(0.75 < jaccard(texts[i], texts[i + 1]) < 0.9 for i in range(0, 80, 2))
    assert clusters(texts, 0.9) == list(range(80))


@pytest.mark.parametrize(("threshold", "changed"), [(0.9, 1), (0.7, 8), (0.5, 18), (0.35, 26)])
def test_near_duplicates_are_found_at_every_threshold(threshold, changed):
    texts = []
    for seed in range(60):
        words = long_text(seed)
        texts += [" ".join(words), " ".join([*words[: 60 - changed], *(f"new{seed}x{i}" for i in range(changed))])]
    found = clusters(texts, threshold)
    pairs = [i for i in range(0, 120, 2) if jaccard(texts[i], texts[i + 1]) >= threshold]
    assert len(pairs) == 60
    assert sum(found[i] == found[i + 1] for i in pairs) >= 58


def test_the_number_of_a_cluster_is_its_first_text():
    assert clusters(["a b", "c d", "A B", "C D", "a, b"], 0.9) == [0, 1, 0, 1, 0]


def test_empty_and_tiny_texts_do_no_harm():
    assert clusters([], 0.9) == []
    assert clusters(["", "!", "a", "A"], 0.9) == [0, 1, 2, 2]


TEXTS = st.lists(
    st.lists(st.sampled_from(["red", "blue", "Red", "tree", "bird", "fish", "one"]), min_size=1, max_size=12).map(" ".join), max_size=10
)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from([0.5, 0.8, 0.9, 1.0]), st.randoms())
def test_the_order_of_the_texts_does_not_matter(texts, threshold, rng):
    order = list(range(len(texts)))
    rng.shuffle(order)
    here, there = clusters(texts, threshold), clusters([texts[i] for i in order], threshold)
    together = {(i, j) for i in order for j in order if here[i] == here[j]}
    assert together == {(order[i], order[j]) for i in range(len(order)) for j in range(len(order)) if there[i] == there[j]}


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from([0.5, 0.8, 0.9]))
def test_every_cluster_is_connected_by_pairs_that_really_are_similar(texts, threshold):
    found = clusters(texts, threshold)
    for number in set(found):
        members = [i for i, cluster in enumerate(found) if cluster == number]
        reached = {members[0]}
        for _ in members:
            reached |= {
                j
                for j in members
                for i in reached
                if normalised(texts[i]) == normalised(texts[j]) or jaccard(texts[i], texts[j]) >= threshold
            }
        assert reached == set(members)
        assert number == members[0]
