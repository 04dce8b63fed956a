"""One pass over all rows, and samples."""

import tracemalloc
from collections.abc import Sequence

from hatrack.data.quality.diversity import RepeatCounter
from hatrack.data.quality.edges import LengthFinder
from hatrack.data.quality.labels import LabelCounter
from hatrack.data.quality.shapes import ShapeCounter
from hatrack.data.quality.walk import answer, sample, walk
from hatrack.data.records import Example, Splits
from quality_rows import answered, labelled, spread_out


class Seen:
    def __init__(self):
        self.rows = []

    def see(self, ordinal, split, example):
        self.rows.append((ordinal, split, example.row))


def test_every_row_passes_once_in_the_order_train_validation_test():
    splits, seen = spread_out(labelled(30), lazy=True), Seen()
    walk(splits, [seen])
    assert [ordinal for ordinal, _, _ in seen.rows] == list(range(30))
    assert [split for _, split, _ in seen.rows] == ["train"] * 24 + ["validation"] * 3 + ["test"] * 3


def test_a_long_walk_says_how_far_it_is():
    said = []
    walk(spread_out(labelled(2500)), [], lambda what, done, total: said.append((what, done, total)))
    assert said == [("looking at the rows", 1000, 2500), ("looking at the rows", 2000, 2500)]


def test_a_place_is_the_split_and_the_rows_own_number():
    ledger = walk(spread_out(labelled(30)), [])
    assert str(ledger.place(24)) == "validation row 9"
    assert str(ledger.place(29)) == "test row 30"


def test_a_sample_of_all_rows_is_all_of_them_and_says_so():
    splits = spread_out(labelled(40))
    ordinals, rows, basis = sample(splits, 100, 1)
    assert sorted(ordinals) == list(range(40))
    assert {row.row for row in rows} == set(range(1, 41))
    assert str(basis) == "on all 40 rows"


def test_a_sample_holds_the_rows_at_its_ordinals_and_depends_on_the_seed_alone():
    splits = spread_out(labelled(40), lazy=True)
    ordinals, rows, basis = sample(splits, 7, 1)
    everything = [row for _, part in splits.items() for row in part]
    assert [everything[i].row for i in ordinals] == [row.row for row in rows]
    assert sample(splits, 7, 1)[0] == ordinals
    assert sample(splits, 7, 2)[0] != ordinals
    assert str(basis) == "on 7 of 40 rows"


def test_the_answer_is_the_label_or_the_last_turn():
    assert answer(labelled(1)[0]) == "weather"
    assert answer(answered(["yes"])[0]) == "yes"
    assert answer(Example(1, "a", "only text")) == ""


class Long(Sequence):
    """Two thousand rows of 4 KB, made when they are asked for: 8 MB if they were kept."""

    def __len__(self):
        return 2_000

    def __getitem__(self, index):
        index = range(len(self))[index]
        return Example(index + 1, f"r{index}", f"{index} " + "long " * 800, label=str(index % 3))


def test_a_walk_keeps_numbers_and_no_rows():
    observers = [RepeatCounter(None), LengthFinder(), LabelCounter(), ShapeCounter(str, labels=True)]
    tracemalloc.start()
    ledger = walk(Splits(Long(), [], []), observers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ledger.rows == 2_000
    assert peak < 2_000_000
