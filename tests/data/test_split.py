"""Splits: every label in proportion, nothing answered from memory, the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import WORDS
from hatrack.data.records import Example
from hatrack.data.split import split_examples

SHARES = (0.8, 0.1, 0.1)


def text_of(i: int) -> str:
    """Texts that share no five characters worth mentioning."""
    return f"{WORDS[i % 24]}{i * 7919} {WORDS[(i // 24) % 24]}{i * 104729}"


def rows(count: int, labels=("a", "b"), groups=None) -> list[Example]:
    return [Example(i + 1, f"r{i}", text_of(i), label=labels[i % len(labels)], group=groups[i] if groups else "") for i in range(count)]


def ids(parts) -> list[list[str]]:
    return [[example.id for example in part] for part in parts]


def test_every_row_is_in_exactly_one_part_in_the_order_of_the_file():
    parts = split_examples(rows(200), SHARES, 1, 0.9)
    assert sorted(i for part in ids(parts) for i in part) == sorted(example.id for example in rows(200))
    assert all(part == sorted(part, key=lambda e: e.row) for part in parts)


def test_every_label_is_spread_in_proportion_to_the_shares():
    examples = rows(300, labels=("a", "a", "a", "a", "b", "c"))
    for part, share in zip(split_examples(examples, SHARES, 1, 0.9), SHARES, strict=True):
        assert {label: len(examples) * of / 6 * share for label, of in (("a", 4), ("b", 1), ("c", 1))} == pytest.approx(
            Counter(example.label for example in part), abs=1
        )


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    examples = rows(100)
    assert ids(split_examples(examples, SHARES, 7, 0.9)) == ids(split_examples(examples, SHARES, 7, 0.9))
    assert ids(split_examples(examples, SHARES, 7, 0.9)) != ids(split_examples(examples, SHARES, 8, 0.9))


@pytest.mark.parametrize("count", [1, 2])
def test_a_rare_label_goes_to_train(count):
    examples = [*rows(100), *(Example(200 + i, f"rare{i}", f"zebra {i * 31337} yak", label="rare") for i in range(count))]
    for seed in range(5):
        train, *others = split_examples(examples, SHARES, seed, 0.9)
        assert sum(example.label == "rare" for example in train) == count
        assert all(others)


def test_a_rare_label_goes_to_train_even_when_train_is_the_smaller_part():
    train, *_ = split_examples([*rows(100), Example(200, "rare", "zebra yak", label="rare")], (0.2, 0.4, 0.4), 1, 0.9)
    assert "rare" in {example.label for example in train}


def test_near_duplicates_never_cross():
    base = " ".join(f"{WORDS[i % 24]}{i}" for i in range(60))
    examples = []
    for family in range(20):
        for copy in range(5):
            text = f"{base.replace('1', str(family) * 3)} copy{copy}"
            examples.append(Example(len(examples) + 1, f"f{family}-{copy}", text, label="ab"[family % 2]))
    parts = split_examples(examples, (0.6, 0.2, 0.2), 3, 0.9)
    homes = [{example.id.split("-")[0] for example in part} for part in parts]
    assert all(homes)
    assert not homes[0] & homes[1]
    assert not homes[0] & homes[2]
    assert not homes[1] & homes[2]


def test_equal_texts_with_other_punctuation_never_cross():
    examples = [Example(i + 1, f"r{i}", text_of(i // 2) + ("!" if i % 2 else ""), label="a") for i in range(100)]
    for part in split_examples(examples, SHARES, 3, 0.9):
        assert all(count == 2 for count in Counter(example.text.rstrip("!") for example in part).values())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=10, max_size=60), st.integers(0, 1000))
def test_groups_never_cross_even_when_duplicates_connect_them(groups, seed):
    # every fifth row repeats the text of the row before it, which may stand in another group
    examples = [Example(i + 1, f"r{i}", text_of(i - (i % 5 == 4)), label="a", group=str(group)) for i, group in enumerate(groups)]
    parts = split_examples(examples, (0.5, 0.25, 0.25), seed, 0.9)
    assert sum(map(len, parts)) == len(groups)
    for name in ("group", "text"):
        homes = [{getattr(example, name) for example in part} for part in parts]
        assert not homes[0] & homes[1]
        assert not homes[0] & homes[2]
        assert not homes[1] & homes[2]


def test_rows_without_a_group_are_not_tied_together():
    parts = split_examples(rows(100, groups=["g"] * 10 + [""] * 90), SHARES, 1, 0.9)
    assert [len(part) for part in parts] == pytest.approx([80, 10, 10], abs=1)


def test_two_shares_make_two_parts():
    assert [len(part) for part in split_examples(rows(100), (0.8, 0.1), 1, 0.9)] == pytest.approx([89, 11], abs=1)


@pytest.mark.parametrize("each", [3, 4, 5, 6])
def test_many_small_labels_fill_every_part(each):
    examples = rows(20 * each, labels=[f"l{i}" for i in range(20)])
    parts = split_examples(examples, SHARES, 1, 0.9)
    assert [len(part) for part in parts] == pytest.approx([16 * each, 2 * each, 2 * each], abs=1)
    assert len({example.label for example in parts[0]}) == 20
