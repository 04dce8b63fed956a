"""What every export promises; a new one is tested here by being in the table, and names in ROUND what reads it back."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.chat import Message
from hatrack.core.config import AdapterConfig
from hatrack.core.errors import RowErrors
from hatrack.data.columns import map_rows
from hatrack.data.exports.base import EXPORTS, export_examples
from hatrack.data.layouts.base import layout_for
from hatrack.data.readers.base import open_rows
from hatrack.data.records import Example

# What a task's examples are written as and read back from; None: the target cannot hold the task.
ROUND = {
    "jsonl": {"instruct": {}, "prefer": {}, "complete": {}, "classify": {}},
    "alpaca": {"instruct": {}, "prefer": None, "complete": None, "classify": {"text": "instruction", "label": "output"}},
    "chat": {"instruct": {}, "prefer": {}, "complete": None},
    "openai": {"instruct": {}, "prefer": {}, "complete": None},
}
WORDS = ["what\u2028now", 'a "quote"\nand a line', "é 🙂 \u0085", "\u202eevil\u202c", "tab\tnul\x00", "plain"]

every_export = pytest.mark.parametrize("name", EXPORTS.names())
pairs = pytest.mark.parametrize(("name", "task"), [(name, task) for name, tasks in ROUND.items() for task in tasks])


def config_for(task, system=None, columns=None):
    return AdapterConfig.model_validate({"data": "x", "task": task, "system": system, "columns": columns or {}})


def example(task, number, words=WORDS, config=None):
    asked, answer, other = (f"{words[(number + shift) % len(words)]} {number}" for shift in range(3))
    if task == "complete":
        return Example(number, f"row-{number}", asked)
    if task == "classify":
        return Example(number, f"row-{number}", asked, label=f"label {number % 3}")
    system = (Message("system", config.system),) if config and config.system else ()
    messages = (*system, Message("user", asked), Message("assistant", answer))
    return Example(number, f"row-{number}", asked, messages=messages, rejected=f"{other} no" if task == "prefer" else "")


def examples(task, config, count=12):
    return [example(task, number, config=config) for number in range(1, count + 1)]


def read_back(path, config):
    return map_rows(open_rows(path, layout_name=layout_for(config)), config, path)


def test_every_export_says_what_reads_it_back():
    assert set(ROUND) == set(EXPORTS.names())


@pairs
@pytest.mark.parametrize("system", [None, "Be kind."])
def test_what_is_written_is_read_back_as_the_same_examples(name, task, system, tmp_path):
    columns = ROUND[name][task]
    config = config_for(task, system, columns)
    given = examples(task, config)
    target = tmp_path / "out.jsonl"
    if columns is None:
        with pytest.raises(RowErrors) as refused:
            export_examples(given, config, name, target)
        assert [row for row, _ in refused.value.rows] == [one.row for one in given]
        assert not target.exists()
        return
    assert export_examples(given, config, name, target) == 12
    assert read_back(target, config) == (given, [])


@every_export
def test_a_file_is_written_whole_or_not_at_all(name, tmp_path):
    config = config_for("instruct")
    target = tmp_path / "deep" / "out.jsonl"
    good = examples("instruct", config)
    export_examples(good, config, name, target)
    before = target.read_bytes()

    def broken():
        yield from good[:5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_examples(broken(), config, name, target)
    assert target.read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == ["out.jsonl"]


@every_export
def test_a_row_is_one_line_of_json(name, tmp_path):
    config = config_for("instruct")
    export_examples(examples("instruct", config), config, name, tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == 12
    assert all(isinstance(json.loads(line), dict) for line in lines)


@every_export
@settings(max_examples=60, deadline=None)
@given(
    task=st.sampled_from(["instruct", "prefer", "complete", "classify"]),
    turns=st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=5)), min_size=1, max_size=4),
    system=st.sampled_from([None, "s"]),
    text=st.text(max_size=5),
)
def test_whatever_an_example_holds_it_is_written_or_refused_by_its_row(tmp_path_factory, name, task, turns, system, text):
    target = tmp_path_factory.getbasetemp() / f"{name}.jsonl"
    target.unlink(missing_ok=True)
    one = Example(7, "x", text, label=text, messages=tuple(Message(role, content) for role, content in turns), rejected=text)
    written = 0
    with contextlib.suppress(RowErrors):  # and nothing else
        written = export_examples([one] * 10, config_for(task, system), name, target)
    assert target.exists() == (written == 10)
