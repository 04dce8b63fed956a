"""What the splits must not contain, for rows in memory and rows on disk alike."""

from __future__ import annotations

import random

import pytest

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import CheckFailed, RowErrors
from hatrack.data.consistency import Conflict, check_conflicts, check_labels, conflicts, remove_known, remove_leaks
from hatrack.data.duplicates.clusters import clusters
from hatrack.data.records import Example, Splits
from hatrack.data.spool import Spool, SpoolWriter

CONFIG = AdapterConfig.model_validate({"data": "data.jsonl", "task": "classify"})
DROPPING = AdapterConfig.model_validate({"data": "data.jsonl", "task": "classify", "checks": {"drop_unknown_test_labels": True}})


def words(seed: int) -> list[str]:
    rng = random.Random(seed)
    return [f"w{rng.randrange(400)}" for _ in range(60)]


def example(row: int, text: str | list[str], label: str = "") -> Example:
    return Example(row, f"id{row}", text if isinstance(text, str) else " ".join(text), label=label or "ab"[row % 2])


@pytest.fixture(params=["memory", "disk"])
def kept(request, tmp_path):
    """``kept(train, validation, test)``: the splits, in memory or on disk."""

    def make(*parts: list[Example]) -> Splits:
        if request.param == "memory":
            return Splits(*parts)
        for number, rows in enumerate(parts):
            with SpoolWriter.open(tmp_path / str(number)) as spool:
                for row in rows:
                    spool.append(row)
        return Splits(*(Spool.open(tmp_path / str(number)) for number in range(len(parts))))

    return make


def rows(part) -> list[int]:
    return [one.row for one in part]


def stays_where_it_was(before: Splits, after: Splits) -> bool:
    return all(isinstance(part, Spool) == isinstance(dict(before.items())[name], Spool) for name, part in after.items())


def test_what_leaks_is_dropped_and_what_stays_is_where_it_was(kept):
    splits = kept([example(i, words(i)) for i in range(1, 9)], [], [example(1, words(90)), example(2, " ".join(words(3)).upper() + "!")])
    notes: list[str] = []
    after = remove_leaks(splits, "drop", notes)
    assert rows(after.train) == [1, 2, 4, 5, 6, 7, 8]
    assert notes == ["1 train rows left out because their text also stands in the test set"]
    assert stays_where_it_was(splits, after)
    assert after.test is splits.test


def test_a_nearly_equal_row_leaks_from_the_threshold_on_and_its_similarity_is_shown(kept):
    near = [*words(3)[:-1], "other"]
    splits = kept([example(i, words(i)) for i in range(1, 6)], [], [example(1, words(90)), example(2, near)])
    assert rows(remove_leaks(splits, "refuse", []).train) == [1, 2, 3, 4, 5]
    with pytest.raises(CheckFailed, match=r"1 of 5 train rows also stand in the test set, 1 of them nearly") as refused:
        remove_leaks(splits, "refuse", [], 0.9)
    assert "train row 3 ~ test row 2 (Jaccard 0.97)" in refused.value.given
    notes: list[str] = []
    assert rows(remove_leaks(splits, "drop", notes, 0.9).train) == [1, 2, 4, 5]
    assert notes == ["1 train rows left out because their text also stands in the test set, 1 of them nearly"]


def test_what_leaks_into_validation_is_looked_for_after_what_leaks_into_test(kept):
    splits = kept(
        [example(1, "one text"), example(2, "another"), example(3, "a third")],
        [example(1, "ONE text"), example(2, "a third"), example(3, "a fourth")],
        [example(1, "one text!")],
    )
    notes: list[str] = []
    after = remove_leaks(splits, "drop", notes)
    assert (rows(after.train), rows(after.validation), rows(after.test)) == ([2], [2, 3], [1])
    assert [note.partition("text ")[2] for note in notes] == ["also stands in the test set"] * 2 + ["also stands in the validation set"]


def test_rows_of_an_evaluation_file_are_refused_or_dropped_in_train_and_validation_but_not_in_test(kept):
    known = [example(7, words(1)), example(8, [*words(2)[:-1], "other"])]
    splits = kept([example(i, words(i)) for i in (1, 3)], [example(i, words(i)) for i in (2, 4)], [example(1, words(1))])
    with pytest.raises(CheckFailed, match=r"1 of 2 train rows also stand in exam\.jsonl; its scores") as refused:
        remove_known(splits, "exam.jsonl", known, "refuse", [], 0.9)
    assert "train row 1 = exam.jsonl row 7" in refused.value.given
    notes: list[str] = []
    after = remove_known(splits, "exam.jsonl", known, "drop", notes, 0.9)
    assert (rows(after.train), rows(after.validation), rows(after.test)) == ([3], [4], [1])
    assert notes[1] == "1 validation rows left out because their text also stands in exam.jsonl, 1 of them nearly"
    assert stays_where_it_was(splits, after)


def test_labels_nobody_taught_are_left_out_when_asked_and_refused_otherwise(kept):
    test = [example(1, "x", "a"), example(2, "y", "c"), example(3, "z", "b")]
    splits = kept([example(i, words(i)) for i in range(1, 5)], [], test)
    notes: list[str] = []
    after, labels = check_labels(splits, DROPPING, notes)
    assert labels == ("a", "b")
    assert rows(after.test) == [1, 3]
    assert notes == ["1 test rows left out: their labels are not in the training rows"]
    assert stays_where_it_was(splits, after)
    with pytest.raises(RowErrors, match="1 of 3 test rows carry labels") as refused:
        check_labels(splits, CONFIG, [])
    assert refused.value.rows == ((2, "label 'c'"),)


def test_one_text_with_two_labels_over_all_parts_is_counted_and_the_first_is_shown(kept):
    splits = kept(
        [example(1, "fine", "a"), example(2, "Torn, text", "b"), example(3, "later", "a")],
        [example(1, "torn text", "a"), example(2, "later!", "b")],
        [example(1, "torn TEXT", "b")],
    )
    notes: list[str] = []
    check_conflicts(splits, 1.0, notes)
    assert notes == ['5 rows have the same text and different labels, for instance "torn text" is a and b']
    with pytest.raises(CheckFailed, match="5 rows have the same text and different labels") as refused:
        check_conflicts(splits, 0.5, [])
    assert refused.value.given.startswith("83.3% of the rows")


def test_no_conflict_is_no_note(kept):
    notes: list[str] = []
    check_conflicts(kept([example(1, "one", "a"), example(2, "one", "a"), example(3, "two", "b")], [], []), 0.0, notes)
    assert notes == []


def test_nearly_the_same_with_another_label_is_a_finding(kept):
    near, text = [*words(3)[:-1], "other"], words(3)
    examples = kept(
        [example(1, words(1), "a"), example(2, text, "a"), example(3, near, "b"), example(4, " ".join(text).upper(), "a")], [], []
    ).train
    found = conflicts(examples, clusters([one.text for one in examples], 0.9))
    assert found == [Conflict((2, 3, 4), {"a": 2, "b": 1}, (" ".join(text), " ".join(near)))]
    assert conflicts(examples, clusters([one.text for one in examples], 1.0)) == []


def test_every_torn_cluster_is_a_finding_of_its_own():
    examples = [example(i + 1, f"text {i % 3}", "a" if i < 3 or i == 4 else "b") for i in range(6)]
    assert [one.rows for one in conflicts(examples, [0, 1, 2, 0, 1, 2])] == [(1, 4), (3, 6)]
    assert conflicts([], []) == []
