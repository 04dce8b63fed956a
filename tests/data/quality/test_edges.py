"""Short texts, long texts, slices by length."""

from dataclasses import replace

from hatrack.data.quality.edges import LengthFinder
from hatrack.data.quality.walk import walk
from quality_rows import labelled, spread_out


def edges(rows):
    finder = LengthFinder()
    return finder.edges(walk(spread_out(rows), [finder]))


def test_rows_are_counted_by_length_in_each_split():
    rows = labelled(100)
    rows[0] = replace(rows[0], text="one two")
    rows[9] = replace(rows[9], text="word " * 120)
    found = {one.name: one.rows for one in edges(rows).slices}
    assert found["1 to 5 words"] == {"train": 1, "validation": 0, "test": 0}
    assert found["6 to 20 words"] == {"train": 79, "validation": 10, "test": 9}
    assert found["101 to 500 words"] == {"train": 0, "validation": 0, "test": 1}
    assert set(found) == {"1 to 5 words", "6 to 20 words", "101 to 500 words"}


def test_texts_with_nothing_in_them_are_named():
    rows = labelled(50)
    rows[4] = replace(rows[4], text="?!")
    rows[7] = replace(rows[7], text=" - a")
    found = edges(rows)
    assert found.short == 2
    assert [str(place) for place in found.short_rows] == ["train row 5", "train row 8"]


def test_texts_far_longer_than_the_rest_are_named_the_longest_first():
    rows = labelled(200)
    rows[3] = replace(rows[3], text="word " * 300)
    rows[5] = replace(rows[5], text="word " * 900)
    found = edges(rows)
    assert found.extreme == 2
    assert [(str(one.place), one.words) for one in found.extreme_rows] == [("train row 6", 900), ("train row 4", 300)]


def test_lengths_that_vary_evenly_have_no_extreme():
    rows = [replace(row, text="word " * (5 + i % 40)) for i, row in enumerate(labelled(200))]
    assert edges(rows).extreme == 0


def test_clean_rows_have_no_edges():
    found = edges(labelled(60))
    assert (found.short, found.extreme, len(found.slices)) == (0, 0, 1)
