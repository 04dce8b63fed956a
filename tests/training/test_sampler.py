from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.training.sampler import LengthBuckets


def order(lengths, batch, seed=1, epoch=0):
    return list(LengthBuckets(lengths, batch, seed, lambda: epoch))


LENGTHS = random.Random(0).choices(range(1, 301), k=333)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 40), st.integers(0, 9), st.integers(0, 9))
def test_every_epoch_is_a_permutation_of_all_rows(lengths, batch, seed, epoch):
    assert sorted(order(lengths, batch, seed, epoch)) == list(range(len(lengths)))


def test_F12_the_order_is_a_function_of_seed_and_epoch():
    random.seed(5)
    first = order(LENGTHS, 8, seed=3, epoch=2)
    random.seed(6)
    assert order(LENGTHS, 8, seed=3, epoch=2) == first
    assert order(LENGTHS, 8, seed=4, epoch=2) != first
    assert order(LENGTHS, 8, seed=3, epoch=1) != first


def test_F12_the_epoch_is_asked_at_the_start_of_each_pass():
    epoch = 0
    sampler = LengthBuckets(LENGTHS, 8, 1, lambda: epoch)
    first = list(sampler)
    epoch = 1
    assert list(sampler) == order(LENGTHS, 8, epoch=1) != first


def test_rows_of_one_batch_have_similar_lengths():
    rows = order(LENGTHS, 8)
    batches = [[LENGTHS[i] for i in rows[start : start + 8]] for start in range(0, 328, 8)]
    spread = sum(max(batch) - min(batch) for batch in batches) / len(batches)
    assert spread < 20  # of lengths from 1 to 300: at random it would be near 230


def test_batches_do_not_come_sorted_by_length():
    rows = order(LENGTHS, 8)
    means = [sum(LENGTHS[i] for i in rows[start : start + 8]) for start in range(0, 328, 8)]
    assert means != sorted(means)
    assert means != sorted(means, reverse=True)


@pytest.mark.parametrize(("rows", "batch"), [(333, 8), (20, 8), (399, 8), (7, 8)])
def test_only_the_last_batch_is_short(rows, batch):
    # all lengths differ and lie in one pool, so a batch is whole exactly when its lengths follow each other; were the
    # short batch in front, the data loader would cut across batches behind it
    lengths = list(range(rows))
    random.Random(1).shuffle(lengths)
    ordered = [lengths[i] for i in order(lengths, batch)]
    whole = [ordered[start : start + batch] for start in range(0, rows - batch + 1, batch)]
    assert all(max(chunk) - min(chunk) == batch - 1 for chunk in whole)


def test_other_company_for_a_row_every_epoch():
    company = []
    for epoch in range(2):
        rows = order([10] * 64, 8, epoch=epoch)
        at = rows.index(0) // 8
        company.append(set(rows[at * 8 : at * 8 + 8]))
    assert company[0] != company[1]
