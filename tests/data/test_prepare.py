"""Files to splits: what is refused, what is left out and said, and what the digests cover."""

from __future__ import annotations

import json

import pytest

from conftest import label_rows, write_jsonl
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import CheckFailed, DataFileError, RowErrors
from hatrack.data.prepare import prepare


@pytest.fixture
def prep(tmp_path):
    """``prep(train, validation=rows, test=rows, **adapter keys)`` writes the files and prepares them."""

    def run(train, /, *, validation=None, test=None, rejects=None, **keys):
        files = {"train": train, "validation": validation, "test": test}
        data = {}
        for name, rows in files.items():
            if rows is not None:
                write_jsonl(tmp_path / f"{name}.jsonl", rows)
                data[name] = f"{name}.jsonl"
        config = AdapterConfig.model_validate({"data": data, "task": "classify", **keys})
        return prepare(config, tmp_path, rejects)

    return run


def some(count=60, seed=0, prefix=""):
    return [{**row, "id": prefix + row["id"], "text": prefix + row["text"]} for row in label_rows(count, seed=seed)]


def bad(count, prefix="bad"):
    return [{"id": f"{prefix}{i}", "text": "", "label": "red"} for i in range(count)]


def sizes(prepared):
    return [len(rows) for _, rows in prepared.splits.items()]


def test_one_file_is_split_and_recorded(prep):
    prepared = prep(some(100))
    assert sizes(prepared) == pytest.approx([80, 10, 10], abs=3)
    assert prepared.labels == ("blue", "green", "red")
    assert prepared.record.rows == dict(zip(("train", "validation", "test"), sizes(prepared), strict=True))
    assert set(prepared.record.source_files) == {"train.jsonl"}
    assert not prepared.notes


def test_given_splits_are_kept_as_they_are(prep):
    prepared = prep(some(30), validation=some(12, 1, "v"), test=some(9, 2, "t"))
    assert sizes(prepared) == [30, 12, 9]
    assert {example.id[0] for example in prepared.splits.test} == {"t"}
    assert set(prepared.record.source_files) == {"train.jsonl", "validation.jsonl", "test.jsonl"}


def test_only_the_part_that_is_not_given_is_split_off(prep):
    with_test = prep(some(90), test=some(9, 2, "t"))
    assert sizes(with_test)[1:] == pytest.approx([10, 9], abs=1)
    assert {example.id[0] for example in with_test.splits.test} == {"t"}
    with_validation = prep(some(90), validation=some(9, 2, "v"))
    assert {example.id[0] for example in with_validation.splits.validation} == {"v"}
    assert len(with_validation.splits.test) == pytest.approx(10, abs=1)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_training_row_in_a_held_out_set_is_refused_with_both_rows(prep, part):
    held_out = some(9, 2, "t")
    held_out[4]["text"] = some(30)[7]["text"].upper() + " !"
    with pytest.raises(CheckFailed, match=rf"1 of \d+ train rows also stand in the {part} set") as refused:
        prep(some(30), **{part: held_out})
    assert f"train row 8 = {part} row 5" in str(refused.value)


def test_leaks_are_dropped_from_train_when_asked_and_counted(prep):
    held_out = some(9, 2, "t")
    for i in range(3):
        held_out[i]["text"] = some(30)[i]["text"]
    prepared = prep(some(30), validation=some(6, 3, "v"), test=held_out, checks={"leaks": "drop"})
    assert sizes(prepared) == [27, 6, 9]
    assert prepared.notes == ("3 train rows left out because their text also stands in the test set",)


def test_a_validation_row_in_the_test_set_is_a_leak_too(prep):
    with pytest.raises(CheckFailed, match="validation rows also stand in the test set"):
        prep(some(30), validation=some(9, 2, "t"), test=[{**row, "id": "x" + row["id"]} for row in some(9, 2, "t")])


def test_a_test_label_nobody_taught_is_refused_with_the_nearest(prep):
    held_out = [*some(9, 2, "t"), {"id": "z", "text": "something new", "label": "gren"}]
    with pytest.raises(RowErrors, match="row 10: label 'gren'") as refused:
        prep(some(30), test=held_out)
    assert "did you mean 'green'?" in str(refused.value)


def test_a_test_label_nobody_taught_is_dropped_when_asked_and_said(prep):
    held_out = [*some(9, 2, "t"), {"id": "z", "text": "something new", "label": "gren"}]
    prepared = prep(some(30), test=held_out, checks={"drop_unknown_test_labels": True})
    assert len(prepared.splits.test) == 9
    assert any("1 test rows left out" in note for note in prepared.notes)


def test_a_training_label_outside_the_listed_ones_is_refused(prep):
    with pytest.raises(RowErrors, match="not among the labels listed"):
        prep(some(60), labels=["red", "green"])


def test_a_listed_label_without_rows_is_said(prep):
    prepared = prep(some(60), labels=["red", "green", "blue", "grey"])
    assert prepared.labels == ("blue", "green", "grey", "red")
    assert prepared.notes == ("1 labels have no training row: grey",)


def test_one_label_is_nothing_to_tell_apart(prep):
    with pytest.raises(CheckFailed, match="nothing to tell apart"):
        prep([{**row, "label": "red"} for row in some(60)])


def test_one_text_with_two_labels_is_refused_when_it_is_frequent(prep):
    torn = [{"id": f"c{i}", "text": "the same text", "label": label} for i, label in enumerate(("red", "green", "red", "green"))]
    with pytest.raises(CheckFailed, match="4 rows have the same text and different labels") as refused:
        prep([*some(60), *torn])
    assert '"the same text" is green and red' in str(refused.value)
    prepared = prep([*some(60), *torn], checks={"max_conflicts": 0.1})
    assert any(note.startswith("4 rows have the same text") for note in prepared.notes)


def test_F08_too_many_invalid_rows_are_refused_with_their_numbers_and_all_of_them_are_written_down(prep, tmp_path):
    rejects = tmp_path / "rejects" / "first.jsonl"
    with pytest.raises(RowErrors, match="8 of 68 rows") as refused:
        prep([*some(60), *bad(8)], rejects=rejects)
    assert "row 61: column 'text' is empty" in str(refused.value)
    assert "... and 3 more" in str(refused.value)
    assert str(rejects) in str(refused.value)
    written = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [entry["row"] for entry in written] == list(range(61, 69))
    assert all("column 'text' is empty" in entry["reason"] for entry in written)


def test_F08_a_few_invalid_rows_are_left_out_written_down_and_said(prep, tmp_path):
    rejects = tmp_path / "rejects.jsonl"
    prepared = prep([*some(200), *bad(2)], rejects=rejects)
    assert sum(sizes(prepared)) == 200
    assert prepared.record.rejected == 2
    assert prepared.notes == (f"2 invalid rows left out; see {rejects}",)
    assert [json.loads(line)["row"] for line in rejects.read_text().splitlines()] == [201, 202]


def test_F08_the_limit_is_the_configs(prep):
    assert prep([*some(60), *bad(8)], checks={"max_rejected": 0.2}).record.rejected == 8
    with pytest.raises(RowErrors):
        prep([*some(200), *bad(1)], checks={"max_rejected": 0})


def test_F08_each_file_has_its_own_limit(prep):
    with pytest.raises(RowErrors, match=r"2 of 11 rows of test\.jsonl"):
        prep(some(300), test=[*some(9, 2, "t"), *bad(2)])


def test_F08_an_older_reject_file_does_not_outlive_its_rows(prep, tmp_path):
    rejects = tmp_path / "rejects.jsonl"
    prep([*some(200), *bad(2)], rejects=rejects)
    prep(some(200), rejects=rejects)
    assert rejects.read_text() == ""


@pytest.mark.parametrize("count", [1, 9])
def test_too_few_rows_are_refused(prep, count):
    with pytest.raises(DataFileError, match="too few rows"):
        prep(some(count))


def test_rows_that_are_all_alike_cannot_be_split(prep):
    with pytest.raises(DataFileError, match="no rows are left for validation"):
        prep([{"id": f"r{i}", "text": "all alike", "label": "red"} for i in range(20)])


def test_the_digest_is_stable_and_does_not_depend_on_where_the_file_lies(prep):
    assert prep(some(60)).record == prep(some(60)).record


@pytest.mark.parametrize("change", [{"text": "another text"}, {"label": "green"}, {"id": "another"}])
def test_the_digest_changes_with_what_is_in_a_row(prep, change):
    changed = some(60)
    changed[0] |= change
    assert changed[0] != some(60)[0]
    assert prep(changed).record.digest != prep(some(60)).record.digest


def test_the_digest_of_a_part_changes_with_that_part_only(prep):
    rows = {"validation": some(9, 1, "v"), "test": some(9, 2, "t")}
    before = prep(some(30), **rows).record
    rows["test"][0]["text"] += " changed"
    after = prep(some(30), **rows).record
    assert after.train_digest == before.train_digest
    assert after.validation_digest == before.validation_digest
    assert after.test_digest != before.test_digest
    assert after.digest != before.digest


def test_another_seed_is_other_data(prep):
    assert prep(some(60), train={"seed": 1}).record.digest != prep(some(60), train={"seed": 2}).record.digest


def test_instruct_rows_need_no_labels(prep):
    prepared = prep([{"id": f"{i}", "prompt": f"question {i * 7919}", "response": "yes"} for i in range(30)], task="instruct")
    assert prepared.labels == ()
    assert len(prepared.splits.train) == pytest.approx(24, abs=2)
