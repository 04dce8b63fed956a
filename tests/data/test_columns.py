"""Columns become examples; each value is checked, and each fault says which row and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatrack.core.config import AdapterConfig
from hatrack.core.errors import DataFileError, RowErrors
from hatrack.data.columns import check_columns, map_row, map_rows, mapping_fault
from hatrack.data.records import RawRow, RowFault, beginning


def mapped(*cells, task="classify", **keys):
    config = AdapterConfig.model_validate({"data": "d.jsonl", "task": task, **keys})
    rows = [cell if isinstance(cell, RowFault) else RawRow(i, cell) for i, cell in enumerate(cells, 1)]
    return map_rows(rows, config, Path("d.jsonl"))


def reason(cell, task="classify", **keys):
    """Why a row is left out that follows a good one."""
    good = {"text": "fine", "label": "a"} if task == "classify" else {"prompt": "p", "response": "r"}
    examples, faults = mapped(good, cell, task=task, **keys)
    assert len(examples) == 1
    assert [fault.number for fault in faults] == [2]
    return faults[0].reason


def turns(*pairs):
    return {"messages": [{"role": role, "content": content} for role, content in pairs]}


def test_a_row_becomes_an_example_with_its_number_and_id():
    (one, two), faults = mapped({"id": "x7", "text": "fine", "label": " a "}, {"text": "too", "label": "b"})
    assert (one.row, one.id, one.text, one.label) == (1, "x7", "fine", "a")
    assert (two.row, two.id) == (2, "row-2")
    assert not faults


@pytest.mark.parametrize(("key", "column"), [("text", "txt"), ("label", "lable")])
def test_a_missing_column_is_refused_with_the_nearest_one(key, column):
    cells = {"text": "fine", "label": "a"}
    cells[column] = cells.pop(key)
    with pytest.raises(DataFileError, match=f"column for `{key}` is not in this file") as refused:
        mapped(cells)
    assert f"columns: {{{key}: {column}}}" in str(refused.value)


def test_a_column_named_in_the_config_must_be_there():
    with pytest.raises(DataFileError, match="column for `id`"):
        mapped({"text": "fine", "label": "a"}, columns={"id": "key"})
    with pytest.raises(DataFileError, match="column for `group`"):
        mapped({"text": "fine", "label": "a"}, columns={"group": "patient"})
    assert mapped({"text": "fine", "label": "a"})[0], "the default id column may be absent"


def test_an_id_used_twice_is_refused_with_both_rows():
    with pytest.raises(RowErrors, match="row 3: id 'x' is already used in row 1"):
        mapped({"id": "x", "text": "a", "label": "a"}, {"id": "y", "text": "b", "label": "a"}, {"id": "x", "text": "c", "label": "a"})


def test_a_column_that_is_no_id_can_be_switched_off():
    rows = [{"id": "x", "text": text, "label": "a"} for text in "ab"]
    assert [example.id for example in mapped(*rows, columns={"id": None})[0]] == ["row-1", "row-2"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"text": "", "label": "a"}, "column 'text' is empty"),
        ({"text": " \n\t", "label": "a"}, "column 'text' is empty"),
        ({"text": 5, "label": "a"}, "column 'text' holds int, text is needed"),
        ({"text": None, "label": "a"}, "no column 'text'"),
        ({"text": "x", "label": ""}, "column 'label' is empty"),
        ({"text": "x", "label": None}, "column 'label' holds None, a label is needed"),
        ({"text": "x", "label": 0.5}, "column 'label' holds 0.5, a label is needed"),
        ({"text": "x", "label": ["a"]}, "column 'label' holds ['a'], a label is needed"),
        ({"text": "x", "label": "a\nb"}, "column 'label' holds 3 characters or several lines"),
        ({"text": "x", "label": "a" * 201}, "column 'label' holds 201 characters"),
    ],
)
def test_F08_an_unusable_value_is_a_fault_with_its_reason(cells, said):
    assert said in reason(cells)


def test_whole_numbers_and_truth_values_are_labels():
    examples, _ = mapped({"text": "x", "label": 0}, {"text": "y", "label": 1}, {"text": "z", "label": True})
    assert [example.label for example in examples] == ["0", "1", "True"]


def test_the_faults_of_the_reader_are_kept():
    _, faults = mapped({"text": "x", "label": "a"}, RowFault(2, "not valid JSON"))
    assert faults == [RowFault(2, "not valid JSON")]


def test_prompt_and_response_are_a_conversation_behind_the_system_prompt():
    (one,), _ = mapped({"prompt": "p", "response": "r"}, task="instruct", system="be brief")
    assert [(m.role, m.content) for m in one.messages] == [("system", "be brief"), ("user", "p"), ("assistant", "r")]
    assert one.text == "p"


def test_a_conversation_keeps_its_own_system_prompt():
    (one,), _ = mapped(turns(("system", "own"), ("user", "p"), ("assistant", "r")), task="instruct", system="be brief")
    assert one.messages[0].content == "own"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"messages": "text"}, "must hold a list of messages"),
        ({"messages": ["text"]}, "must hold a list of messages"),
        ({"messages": []}, "at least one message"),
        (turns(("user", "p")), "must end with an assistant turn"),
        (turns(("assistant", "r")), "needs a user turn"),
        (turns(("user", "p"), ("assistant", "r"), ("user", "p")), "must end with an assistant turn"),
        (turns(("user", "p"), ("tool", "r")), "message 2 has an unknown role"),
        (turns(("user", "p"), ("assistant", " ")), "an assistant turn is empty"),
        ({"prompt": "p", "response": ""}, "column 'response' is empty"),
    ],
)
def test_F08_an_unusable_conversation_is_a_fault_with_its_reason(cells, said):
    assert said in reason(cells, task="instruct")


def test_rows_without_a_group_do_not_form_one():
    examples, _ = mapped(
        {"text": "x", "label": "a", "g": None},
        {"text": "y", "label": "a", "g": 7},
        {"text": "z", "label": "a", "g": ""},
        columns={"group": "g"},
    )
    assert [example.group for example in examples] == ["", "7", ""]


def test_plain_text_is_an_example_to_go_on_with():
    (one,), _ = mapped({"text": "Once upon a time.", "title": "x"}, task="complete")
    assert (one.text, one.label, one.messages) == ("Once upon a time.", "", ())
    with pytest.raises(DataFileError, match="the column for `text`"):
        mapped({"body": "x"}, task="complete")


def test_a_pair_of_answers_ends_with_the_better_one_and_keeps_the_worse():
    (one,), faults = mapped({"prompt": "p", "chosen": "good", "rejected": "bad"}, task="prefer", system="be kind")
    assert [(m.role, m.content) for m in one.messages] == [("system", "be kind"), ("user", "p"), ("assistant", "good")]
    assert (one.text, one.rejected) == ("p", "bad")
    assert not faults


def test_the_turns_before_a_pair_of_answers_may_be_many():
    cells = {**turns(("user", "a"), ("assistant", "b"), ("user", "c")), "chosen": "good", "rejected": "bad"}
    (one,), _ = mapped(cells, task="prefer")
    assert [m.content for m in one.messages] == ["a", "b", "c", "good"]
    assert one.text == "a"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"prompt": "p", "chosen": "same", "rejected": " same\n"}, "'chosen' and 'rejected' hold the same answer"),
        ({"prompt": "p", "chosen": "", "rejected": "b"}, "'chosen' is empty"),
        ({"prompt": "p", "chosen": "a", "rejected": None}, "no column 'rejected'"),
        ({"prompt": 3, "chosen": "a", "rejected": "b"}, "'prompt' holds int"),
        ({**turns(("user", "a"), ("assistant", "b")), "chosen": "a", "rejected": "b"}, "must end with a user turn"),
        ({**turns(("user", " ")), "chosen": "a", "rejected": "b"}, "must end with a user turn that is not empty"),
        ({**turns(("tool", "a")), "chosen": "a", "rejected": "b"}, "unknown role"),
    ],
)
def test_F08_an_unusable_pair_is_a_fault_with_its_reason(cells, said):
    good = {"prompt": "p", "chosen": "a", "rejected": "b"}
    examples, faults = mapped(good, cells, task="prefer")
    assert len(examples) == 1
    assert said in faults[0].reason


@pytest.mark.parametrize("column", ["prompt", "chosen", "rejected"])
def test_the_columns_of_a_pair_may_have_other_names(column):
    cells = {"prompt": "p", "chosen": "a", "rejected": "b"}
    cells[f"my {column}"] = cells.pop(column)
    (one,), _ = mapped(cells, task="prefer", columns={column: f"my {column}"})
    assert (one.text, one.rejected) == ("p", "b")
    with pytest.raises(DataFileError, match=f"the column for `{column}`"):
        mapped(cells, task="prefer")


def test_rows_can_be_mapped_one_by_one():
    config = AdapterConfig.model_validate({"data": "d", "task": "classify"})
    check_columns(RawRow(1, {"text": "x", "label": "a"}), config, Path("d"))
    assert map_row(RawRow(9, {"text": "x", "label": "a"}), config).row == 9
    with pytest.raises(ValueError, match="'label' is empty") as refused:
        map_row(RawRow(9, {"text": "x", "label": ""}), config)
    assert mapping_fault(RawRow(9, {"text": "x" * 500}), refused.value).excerpt == beginning("text='" + "x" * 500)
