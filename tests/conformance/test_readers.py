"""What every reader promises; a new one needs an entry in FIXTURES and is then tested by being in the table."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.errors import DataFileError
from hatrack.data.readers.base import READERS, open_rows
from hatrack.data.records import RawRow, RowFault

# Written by hand: rows and the numbers they must carry; then the same file with one broken row in the middle.
EXPECTED = [("a", "eins, zwei"), ("b", 'sagt "ja"'), ("c", "é\u2028 🙂"), ("d", "vier")]
FIXTURES = {
    "jsonl": {
        "good": '{"id": "a", "text": "eins, zwei"}\n{"id": "b", "text": "sagt \\"ja\\""}\n\n'
        '{"id": "c", "text": "é\u2028 🙂"}\n{"id": "d", "text": "vier"}',
        "numbers": [1, 2, 4, 5],
        "broken": '{"id": "a", "text": "eins, zwei"}\n{"id": "b", "te\n{"id": "d", "text": "vier"}\n',
        "fault": 2,
    },
    "csv": {
        "good": 'id,text\na,"eins, zwei"\nb,"sagt ""ja"""\n\nc,"é\u2028 🙂"\nd,vier',
        "numbers": [2, 3, 5, 6],
        "broken": 'id,text\na,"eins, zwei"\nb,zwei,drei\nd,vier\n',
        "fault": 3,
    },
}

every_reader = pytest.mark.parametrize("name", READERS.names())


def read(name, content, limit=100_000):
    path = Path("file" + READERS.get(name)().suffixes[0])
    return list(READERS.get(name)().rows(io.BytesIO(content), path, limit))


def test_every_reader_has_a_fixture():
    assert set(FIXTURES) == set(READERS.names())


@every_reader
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_hand_written_file_is_read_and_numbered(name, mark, ending):
    content = mark + FIXTURES[name]["good"].encode().replace(b"\n", ending)
    rows = read(name, content)
    assert [row.number for row in rows] == FIXTURES[name]["numbers"]
    assert [(row.columns["id"], row.columns["text"]) for row in rows] == EXPECTED


@every_reader
def test_F08_a_broken_row_is_a_numbered_fault_and_reading_goes_on(name):
    first, fault, last = read(name, FIXTURES[name]["broken"].encode())
    assert isinstance(fault, RowFault)
    assert fault.number == FIXTURES[name]["fault"]
    assert fault.reason
    assert (first.columns["id"], last.columns["id"]) == ("a", "d")
    assert first.number < fault.number < last.number


@every_reader
def test_F08_a_row_that_is_too_long_is_a_fault_and_reading_goes_on(name):
    content = FIXTURES[name]["good"].replace("vier", "v" * 500).encode() + b"\n"
    lines = content.splitlines(keepends=True)
    rows = read(name, b"".join([*lines, *lines[1:2]]), 300)
    faults = [row for row in rows if isinstance(row, RowFault)]
    assert [fault.number for fault in faults] == [FIXTURES[name]["numbers"][-1]]
    assert "300 bytes" in faults[0].reason
    assert isinstance(rows[-1], RawRow)


@every_reader
def test_nothing_in_is_nothing_out_and_open_rows_says_so(name, tmp_path):
    assert read(name, b"") == []
    path = tmp_path / ("empty" + READERS.get(name)().suffixes[0])
    path.write_bytes(b"")
    with pytest.raises(DataFileError, match="holds no rows"):
        list(open_rows(path))


@every_reader
def test_open_rows_finds_the_reader_by_the_ending_in_any_case_or_by_name(name, tmp_path):
    content = FIXTURES[name]["good"].encode()
    for suffix in READERS.get(name)().suffixes:
        for ending in (suffix, suffix.upper()):
            path = tmp_path / f"rows{ending}"
            path.write_bytes(content.replace(b",", b"\t") if ending.lower() == ".tsv" else content)
            assert len(list(open_rows(path))) == 4
    other = tmp_path / "rows.data"
    other.write_bytes(content)
    assert len(list(open_rows(other, name))) == 4
    with pytest.raises(DataFileError, match="not known"):
        list(open_rows(other))


def sound(rows):
    numbers = [row.number for row in rows]
    assert numbers == sorted(set(numbers))
    assert all(number >= 1 for number in numbers)
    for row in rows:
        assert isinstance(row, RawRow | RowFault)
        assert row.reason if isinstance(row, RowFault) else all(isinstance(key, str) for key in row.columns)


@every_reader
@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=400), limit=st.sampled_from([20, 1000]))
def test_garbage_never_raises_anything_but_a_clear_refusal_of_the_file(name, content, limit):
    with contextlib.suppress(DataFileError):
        sound(read(name, content, limit))


@every_reader
@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 200), bad=st.text(st.characters(exclude_categories=["Cs"]), max_size=8), cut=st.integers(0, 8))
def test_damage_in_a_good_file_never_raises_anything_else(name, at, bad, cut):
    good = FIXTURES[name]["good"]
    with contextlib.suppress(DataFileError):
        sound(read(name, (good[:at] + bad + good[at + cut :]).encode()))
