"""Texts that are alike and labels that are not."""

from hatrack.data.quality.conflicts import ConflictFinder, equal_roots
from hatrack.data.quality.walk import walk
from hatrack.data.records import Example, Splits
from quality_rows import labelled, spread_out


def conflicts(splits, roots=None):
    finder = ConflictFinder(equal_roots(splits) if roots is None else roots, lambda text: text[:10])
    return finder.conflicts(walk(splits, [finder]))


def test_equal_texts_with_two_labels_are_named_with_their_rows():
    train = [Example(3, "a", "Has it come?", label="yes"), Example(4, "b", "no lamp", label="no")]
    found = conflicts(Splits(train, [], [Example(9, "c", "has it come", label="no")]))
    assert found.rows == 1
    pair = found.pairs[0]
    assert (str(pair.first), pair.first_label, str(pair.second), pair.second_label) == ("train row 3", "yes", "test row 9", "no")
    assert pair.text == "has it com"


def test_near_texts_with_two_labels_conflict_where_their_cluster_is_known():
    splits = Splits([Example(1, "a", "the red lamp", label="x"), Example(2, "b", "the red lamps", label="y")], [], [])
    assert conflicts(splits).rows == 0
    assert conflicts(splits, roots=[0, 0]).rows == 1


def test_the_same_text_with_the_same_label_is_no_conflict():
    splits = Splits([Example(i, f"{i}", "the same", label="x") for i in range(3)], [], [])
    assert conflicts(splits).rows == 0


def test_all_conflicts_are_counted_and_the_first_are_shown():
    splits = Splits([Example(i, f"{i}", "the same", label=f"l{i}") for i in range(41)], [], [])
    found = conflicts(splits)
    assert found.rows == 40
    assert len(found.pairs) == 25


def test_clean_rows_have_no_conflict():
    assert conflicts(spread_out(labelled(60), lazy=True)).rows == 0
