"""What each target can hold, and what it says of rows it cannot."""

from __future__ import annotations

import json

import pytest

from hatrack.core.chat import Message
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import ConfigError, DataError, RowErrors
from hatrack.data.columns import map_rows
from hatrack.data.exports.base import export_examples
from hatrack.data.exports.openai import OpenAI
from hatrack.data.readers.base import open_rows
from hatrack.data.records import Example
from made_files import FIXTURES


def talk(*turns, row=1, **keys):
    messages = tuple(Message(role, content) for role, content in turns)
    return Example(row, f"row-{row}", "q", messages=messages, **keys)


SHORT = (("user", "q"), ("assistant", "a"))
LONG = (("user", "q"), ("assistant", "a"), ("user", "r"), ("assistant", "b"))


@pytest.fixture
def export(tmp_path):
    """The records written, or the reasons by row."""

    def run(name, *examples, task="instruct", **keys):
        config = AdapterConfig.model_validate({"data": "x", "task": task, **keys})
        try:
            export_examples(examples, config, name, tmp_path / "out.jsonl")
        except RowErrors as error:
            return dict(error.rows)
        return [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n") if line]

    return run


def test_alpaca_holds_one_question_and_one_answer(export):
    assert export("alpaca", talk(*SHORT)) == [{"instruction": "q", "input": "", "output": "a"}]
    assert export("alpaca", talk(("system", "s"), *SHORT), system="s") == [{"instruction": "q", "input": "", "output": "a"}]
    assert export("alpaca", talk(*SHORT), talk(*LONG, row=2), talk(("system", "own"), *SHORT, row=3)) == {
        2: "it holds one question and one answer, not 4 turns",
        3: "it has no place for a system prompt of a row",
    }


def test_jsonl_takes_the_names_of_the_config(export):
    one = Example(3, "x7", "a clause", label="lien", group="contract 1")
    columns = {"text": "clause", "label": "type", "group": "contract", "id": "nr"}
    assert export("jsonl", one, task="classify", columns=columns) == [
        {"nr": "x7", "clause": "a clause", "type": "lien", "contract": "contract 1"}
    ]


def test_a_classifiers_labels_are_the_assistants_turns_in_a_chat(export):
    (record,) = export("chat", Example(1, "row-1", "t", label="x"), task="classify-by-text", system="Classify.")
    assert [turn["role"] for turn in record["messages"]] == ["system", "user", "assistant"]
    assert record["messages"][-1]["content"] == "x"


def test_openai_records_hold_messages_and_nothing_else(export):
    records = export("openai", *(talk(("system", "s"), *LONG, row=i, group="g") for i in range(10)))
    assert {tuple(record) for record in records} == {("messages",)}
    assert {tuple(turn) for record in records for turn in record["messages"]} == {("role", "content")}


def test_openai_gets_weights_where_only_the_last_turn_is_trained(export):
    (record, *_) = export("openai", *(talk(*LONG, row=i) for i in range(10)), train={"last_turn_only": True})
    assert [turn.get("weight") for turn in record["messages"]] == [None, 0, None, None]


def test_openai_preferences_have_its_three_fields(export):
    (record, *_) = export("openai", *(talk(("system", "s"), *SHORT, row=i, rejected="no") for i in range(10)), task="prefer")
    assert record == {
        "input": {
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
            "tools": [],
            "parallel_tool_calls": True,
        },
        "preferred_output": [{"role": "assistant", "content": "a"}],
        "non_preferred_output": [{"role": "assistant", "content": "no"}],
    }


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ((("user", " "), ("assistant", "a")), "message 1 is empty"),
        ((("user", "q"), ("assistant", "")), "message 2 is empty"),
        ((("user", "q"), ("assistant", "a"), ("user", "r")), "the last message must be the assistant's"),
        ((("system", "s"), ("assistant", "a")), "there is no message of the user"),
    ],
)
def test_openai_refuses_what_the_api_would_refuse(export, turns, why):
    good = [talk(*SHORT, row=i) for i in range(2, 12)]
    assert export("openai", talk(*turns, row=1), *good) == {1: why}


def test_openai_asks_for_ten_examples(export, tmp_path):
    with pytest.raises(DataError, match="asks for more examples") as refused:
        export("openai", *(talk(*SHORT, row=i) for i in range(9)))
    assert (refused.value.given, refused.value.allowed) == ("9", "at least 10")
    assert not (tmp_path / "out.jsonl").exists()


def test_openai_takes_no_file_above_its_limit(export, tmp_path, monkeypatch):
    assert OpenAI.largest == 512_000_000
    rows = [talk(*SHORT, row=i) for i in range(20)]
    export("openai", *rows)
    size = (tmp_path / "out.jsonl").stat().st_size
    (tmp_path / "out.jsonl").unlink()
    monkeypatch.setattr(OpenAI, "largest", size)
    export("openai", *rows)
    (tmp_path / "out.jsonl").unlink()
    monkeypatch.setattr(OpenAI, "largest", size - 1)
    with pytest.raises(DataError, match="takes no file of this size") as refused:
        export("openai", *rows)
    assert (refused.value.given, refused.value.allowed) == (f"more than {size - 1:,} bytes after 20 examples", f"{size - 1:,} bytes")
    assert not (tmp_path / "out.jsonl").exists()


def test_nothing_to_write_is_refused(export):
    with pytest.raises(DataError, match="asks for more examples"):
        export("jsonl")


def test_an_unknown_format_is_refused_with_the_nearest(export):
    with pytest.raises(ConfigError, match="did you mean openai"):
        export("openia", talk(*SHORT))


@pytest.mark.parametrize(
    ("file", "task", "name"),
    [
        ("alpaca.json", "instruct", "alpaca"),
        ("dolly.jsonl", "instruct", "alpaca"),
        ("flan.jsonl", "instruct", "alpaca"),
        ("chat.jsonl", "instruct", "chat"),
        ("sharegpt.json", "instruct", "chat"),
        ("oasst.jsonl", "instruct", "chat"),
        ("oasst_trees.jsonl", "instruct", "chat"),
        ("calls.csv", "instruct", "chat"),
        ("calls.txt", "instruct", "jsonl"),
        ("call.vtt", "instruct", "jsonl"),
        ("preference.jsonl", "prefer", "chat"),
        ("hh_rlhf.jsonl", "prefer", "chat"),
        ("guide.md", "complete", "jsonl"),
        ("guide.html", "complete", "jsonl"),
        ("rows.json", "classify", "jsonl"),
    ],
)
def test_read_mapped_written_and_read_again_is_the_same(tmp_path, file, task, name):
    config = AdapterConfig.model_validate({"data": "x", "task": task})
    first, faults = map_rows(open_rows(FIXTURES / file), config, FIXTURES / file)
    assert first
    assert not faults
    export_examples(first, config, name, tmp_path / "out.jsonl")
    second, faults = map_rows(open_rows(tmp_path / "out.jsonl"), config, tmp_path / "out.jsonl")
    assert not faults
    assert [one.content() for one in second] == [{**one.content(), "id": two.id} for one, two in zip(first, second, strict=True)]
    if name != "alpaca":  # which has no place for an id
        assert [one.id for one in second] == [one.id for one in first]
