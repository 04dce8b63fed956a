"""Training rows that also stand in an evaluation file."""

from hatrack.data.quality.overlap import overlap
from quality_rows import labelled


def test_rows_in_both_are_named_on_both_sides():
    train, others = labelled(40), labelled(10, seed=1)
    found = overlap("bench.jsonl", train, others, [(7, 2), (3, 9)], lambda text: text[:5])
    assert (found.rows, found.others) == (2, 10)
    assert [(str(pair.place), pair.other) for pair in found.pairs] == [("train row 4", 10), ("train row 8", 3)]
    assert found.pairs[0].text == train[3].text[:5]


def test_nothing_in_common_is_no_row():
    assert overlap("bench.jsonl", labelled(10), labelled(10, seed=1), [], str).rows == 0
