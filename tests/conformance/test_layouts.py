"""What every layout promises; a new one needs an entry in FILES and is then tested by being in the table."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.config import AdapterConfig
from hatrack.data.columns import map_rows
from hatrack.data.detect import detect
from hatrack.data.layouts.base import LAYOUTS
from hatrack.data.readers.base import open_rows
from hatrack.data.records import RawRow, RowFault
from made_files import FIXTURES

# Written by hand: a good file, the same with one broken row, the number of the fault, and how many rows come of the others.
FILES = {
    "alpaca": ("alpaca.json", "alpaca_broken.json", 2, 2),
    "chat": ("chat.jsonl", "chat_broken.jsonl", 2, 2),
    "columns": ("rows.json", None, 0, 0),
    "document": ("guide.md", "document_broken.jsonl", 2, 2),
    "dolly": ("dolly.jsonl", "dolly_broken.jsonl", 2, 2),
    "flan": ("flan.jsonl", "flan_broken.jsonl", 2, 2),
    "hh-rlhf": ("hh_rlhf.jsonl", "hh_rlhf_broken.jsonl", 2, 2),
    "oasst": ("oasst.jsonl", "oasst_broken.jsonl", 2, 1),
    "oasst-trees": ("oasst_trees.jsonl", "oasst_trees_broken.jsonl", 2, 2),
    "preference": ("preference.jsonl", "preference_broken.jsonl", 2, 2),
    "sharegpt": ("sharegpt.json", "sharegpt_broken.json", 2, 2),
    "transcript": ("calls.csv", "calls_broken.csv", 3, 2),
}
CANONICAL = {
    "columns": set(),
    "conversation": {"messages"},
    "preference": {"messages", "chosen", "rejected"},
    "document": {"title", "text", "sections", "source"},
}
TASKS = {"conversation": "instruct", "preference": "prefer", "document": "complete"}

every_layout = pytest.mark.parametrize("name", LAYOUTS.names())
converting = pytest.mark.parametrize("name", [name for name in LAYOUTS.names() if name != "columns"])


def raw(file):
    return list(open_rows(FIXTURES / file, layout_name="columns"))


def converted(name, rows):
    return list(LAYOUTS.get(name)().convert(iter(rows)))


def test_every_layout_has_a_file():
    assert set(FILES) == set(LAYOUTS.names())


@every_layout
def test_a_file_is_known_as_its_own_layout_and_as_no_other(name):
    rows = [row.columns for row in raw(FILES[name][0])]
    reasons = {other: LAYOUTS.get(other)().fits(list(rows[0]), rows) for other in LAYOUTS.names() if other != "columns"}
    assert {other for other, reason in reasons.items() if reason} == {name} - {"columns"}
    guess = detect(FIXTURES / FILES[name][0])
    assert guess.layout == name
    if name != "columns":
        assert reasons[name] in guess.reason


@every_layout
def test_what_comes_out_is_canonical_and_keeps_the_number_of_its_row(name):
    before = raw(FILES[name][0])
    rows = converted(name, before)
    assert rows
    assert all(isinstance(row, RawRow) for row in rows)
    for row in rows:
        assert CANONICAL[LAYOUTS.get(name).yields] <= set(row.columns)
        for turn in row.columns.get("messages", []):
            assert set(turn) == {"role", "content"}
            assert turn["role"] in ("system", "user", "assistant")
            assert turn["content"]
    numbers = [row.number for row in rows]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= {row.number for row in before}


@converting
def test_the_rows_of_a_layout_are_examples_of_its_task(name):
    config = AdapterConfig.model_validate({"data": "x", "task": TASKS[LAYOUTS.get(name).yields]})
    examples, faults = map_rows(open_rows(FIXTURES / FILES[name][0]), config, Path("x"))
    assert examples
    assert faults == []


@converting
def test_F08_a_broken_row_is_a_numbered_fault_and_the_others_are_kept(name):
    _, file, number, kept = FILES[name]
    rows = converted(name, raw(file))
    (fault,) = (row for row in rows if isinstance(row, RowFault))
    assert fault.number == number
    assert fault.reason
    assert "\n" not in fault.reason
    assert sum(isinstance(row, RawRow) for row in rows) == kept


@every_layout
def test_faults_of_the_reader_pass_through(name):
    rows = raw(FILES[name][0])
    fault = RowFault(999, "not valid JSON")
    assert [row for row in converted(name, [*rows[:1], fault, *rows[1:]]) if isinstance(row, RowFault)] == [fault]
    assert converted(name, []) == []


@every_layout
def test_columns_that_a_layout_does_not_know_pass_through(name):
    rows = raw(FILES[name][0])
    extra = [RawRow(row.number, {**row.columns, "licence": "CC0"}) for row in rows]
    assert all(row.columns["licence"] == "CC0" for row in converted(name, extra))


def values():
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.floats(allow_nan=False))
    return st.recursive(
        leaves, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)), max_leaves=6
    )


@every_layout
def test_whatever_stands_in_a_cell_is_a_row_or_a_fault(name):
    rows = raw(FILES[name][0])
    columns = list(dict.fromkeys(itertools.chain.from_iterable(row.columns for row in rows)))

    @settings(max_examples=120, deadline=None)
    @given(data=st.data())
    def check(data):
        column, value, at = data.draw(st.sampled_from(columns)), data.draw(values()), data.draw(st.integers(0, len(rows) - 1))
        cells = {**rows[at].columns, column: value}
        if data.draw(st.booleans()):
            del cells[column]
        changed = [*rows[:at], RawRow(rows[at].number, cells), *rows[at + 1 :]]
        LAYOUTS.get(name)().fits(list(cells), [row.columns for row in changed])
        for row in converted(name, changed):
            assert isinstance(row, RawRow | RowFault)

    check()


@every_layout
def test_whatever_stands_in_a_turn_is_a_row_or_a_fault(name):
    rows = raw(FILES[name][0])
    lists = [(i, column) for i, row in enumerate(rows) for column, value in row.columns.items() if isinstance(value, list)]
    if not lists:
        pytest.skip("this layout has no lists")

    @settings(max_examples=120, deadline=None)
    @given(data=st.data())
    def check(data):
        at, column = data.draw(st.sampled_from(lists))
        copy = json.loads(json.dumps(rows[at].columns))
        place = data.draw(st.integers(0, len(copy[column]) - 1))
        if data.draw(st.booleans()) and isinstance(copy[column][place], dict):
            copy[column][place][data.draw(st.sampled_from(sorted(copy[column][place])))] = data.draw(values())
        else:
            copy[column][place] = data.draw(values())
        for row in converted(name, [*rows[:at], RawRow(rows[at].number, copy), *rows[at + 1 :]]):
            assert isinstance(row, RawRow | RowFault)

    check()
