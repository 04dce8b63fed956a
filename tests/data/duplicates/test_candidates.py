"""Pairs worth comparing: all in short runs, and in crowds of look-alikes those that share a rare shingle."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatrack.data.duplicates import candidates, rare
from hatrack.data.duplicates.candidates import across, candidate_pairs, find_runs, within
from hatrack.data.duplicates.clusters import clusters
from hatrack.data.duplicates.compare import Comparer
from hatrack.data.duplicates.rare import rare_shingles
from hatrack.data.duplicates.shingles import shingles
from hatrack.data.duplicates.sketches import bands_for, sketch
from hatrack.data.progress import silent
from hatrack.data.records import normalised

NUMBERS = st.lists(st.integers(0, 4), min_size=1, max_size=25).map(lambda numbers: np.array(numbers, dtype=np.uint32))


def as_set(blocks) -> set[tuple[int, int]]:
    pairs = [tuple(pair) for block in blocks for pair in block.tolist()]
    assert len(pairs) == len(set(pairs))
    return set(pairs)


@given(NUMBERS)
def test_within_a_run_every_two_rows_are_a_pair_once(numbers):
    expected = {(i, j) for j in range(len(numbers)) for i in range(j) if numbers[i] == numbers[j]}
    assert as_set(within(find_runs(numbers), 25)) == expected


@given(NUMBERS, st.integers(0, 25))
def test_across_a_border_every_two_rows_of_a_run_are_a_pair_once(numbers, border):
    expected = {(i, j) for j in range(border, len(numbers)) for i in range(min(border, j)) if numbers[i] == numbers[j]}
    assert as_set(across(border)(find_runs(numbers), 25)) == expected


@given(NUMBERS, st.integers(2, 4))
def test_in_a_run_that_is_too_long_each_row_meets_its_neighbours(numbers, most):
    rows = {number: [i for i in range(len(numbers)) if numbers[i] == number] for number in set(numbers.tolist())}
    expected = {(run[a], run[b]) for run in rows.values() for b in range(len(run)) for a in range(max(0, b - most + 1), b)}
    assert as_set(within(find_runs(numbers), most)) == expected


def test_runs_keep_the_names_of_their_rows():
    runs = find_runs(np.array([7, 8, 7], dtype=np.uint64), np.array([30, 10, 20]))
    assert as_set(within(runs, 9)) == {(30, 20)}


def notices(count: int, seed: int = 1) -> list[str]:
    """Letters from one template: alike, and not alike enough."""
    rng = random.Random(seed)
    names = [f"{a}{b}" for a in ("Ab", "Be", "Cor", "Du") for b in ("ra", "lin", "mos", "tek", "vy")]
    return [
        f"Dear {rng.choice(names)} {rng.choice(names)}, we have not yet received your payment of {rng.randint(10, 9999)} euros for the "
        f"invoice {rng.randint(10000, 99999)}, which has been due since the {rng.randint(1, 28)} of last month; please pay it to our "
        "account within two weeks from today, or call one of our colleagues if there is a reason why you cannot do so."
        for _ in range(count)
    ]


def similar(texts: list[str], threshold: float) -> set[tuple[int, int]]:
    pieces = [shingles(normalised(text)) for text in texts]
    return {(i, j) for j, b in enumerate(pieces) for i, a in enumerate(pieces[:j]) if len(a & b) >= threshold * len(a | b)}


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_two_similar_texts_share_a_rare_shingle(threshold, monkeypatch):
    monkeypatch.setattr(rare, "_AT_ONCE", 500)  # several sweeps
    texts = notices(120)
    texts += [text.replace("please pay", "do pay") for text in texts[::10]] + [f"{text} Thank you." for text in texts[::15]]
    shared = set()
    for hashes, rows in rare_shingles(texts, np.arange(len(texts)), threshold):
        shared |= {tuple(pair) for block in within(find_runs(hashes, rows), len(texts)) for pair in block.tolist()}
    expected = similar(texts, threshold)
    assert expected
    assert expected <= shared


@pytest.mark.parametrize("seed", range(8))
def test_at_the_very_threshold_one_rare_shingle_is_still_shared(seed):
    # 8 shingles and the same 8 with 2 of its own, which are rarer: only the last one looked at is common to both
    words = [f"w{seed}x{i}" for i in range(12)]
    texts = [" ".join(words[:10]), " ".join(words)]
    [(hashes, _)] = rare_shingles(texts, np.arange(2), 0.8)
    assert similar(texts, 0.8) == {(0, 1)}
    assert len(hashes) == len(set(hashes.tolist())) + 1


def test_in_a_crowd_of_letters_from_one_template_every_copy_is_found():
    texts = notices(3000)
    originals = range(0, 3000, 30)
    texts += [texts[i].replace("please pay", "do pay") for i in originals]
    _, bands = sketch(texts, bands_for(0.8), silent)
    assert (find_runs(bands[0]).sizes > candidates._LONG).any()
    found = clusters(texts, 0.8)
    assert all(found[3000 + at] == found[i] for at, i in enumerate(originals))
    assert len(set(found)) > 2000


def test_a_crowd_is_not_compared_all_with_all(monkeypatch):
    texts = notices(1500)
    _, bands = sketch(texts, bands_for(0.8), silent)

    def compared() -> int:
        return sum(len(pairs) for pairs in candidate_pairs(texts, bands, 0.8, within, silent))

    by_rare_shingles = compared()
    monkeypatch.setattr(candidates, "_LONG", len(texts))
    assert by_rare_shingles < compared() / 3


def test_copies_of_copies_are_one_cluster_and_are_compared_a_few_times_each(monkeypatch):
    compared = []
    words = " ".join(f"word{i}" for i in range(60))
    texts = [f"{words} and {i}" for i in range(1000)]
    compare = Comparer.similar
    monkeypatch.setattr(Comparer, "similar", lambda self, pairs, t: compared.append(len(pairs)) or compare(self, pairs, t))
    assert set(clusters(texts, 0.9)) == {0}
    assert sum(compared) < 5 * len(texts)
