"""JSON arrays: element by element, whatever stands around and in them."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.errors import DataFileError
from hatrack.data.readers import json as reader
from hatrack.data.readers.base import open_rows
from hatrack.data.records import RawRow, RowFault
from made_files import FIXTURES


@pytest.fixture
def read(tmp_path):
    def rows(content: bytes, **keys):
        path = tmp_path / "rows.json"
        path.write_bytes(content)
        return list(open_rows(path, **keys))

    return rows


def test_the_array_may_lie_under_data_among_other_things():
    rows = list(open_rows(FIXTURES / "rows.json"))
    assert [(row.number, row.columns["text"]) for row in rows] == [(1, 'eins, "zwei" ]}'), (2, "\\")]


@pytest.mark.parametrize(
    ("element", "said"),
    [
        (b"[1]", "this is list"),
        (b'"x"', "this is str"),
        (b"12", "this is int"),
        (b"nul", "not valid JSON"),
        (b'{"a" 1}', "not valid JSON"),
        (b"{]", "not valid JSON"),
        (b'{"a": 1, "a": 2}', "occurs twice"),
        (b'{"a": "caf\xe9"}', "not UTF-8"),
        (b'{"a": "\\ud83d"}', "surrogate"),
        (b'{"a": "x\x00y"}', "not valid JSON"),
        (b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nests brackets more than 100 deep"),
        (b'{"a": "' + b"x" * 30_000 + b'"}', "longer than 25,000 bytes"),
    ],
)
def test_F08_a_bad_element_is_a_fault_and_reading_goes_on(read, element, said):
    before, fault, after = read(b'[{"a": 1}, ' + element + b', {"a": 3}]', max_row_bytes=25_000)
    assert isinstance(fault, RowFault)
    assert fault.number == 2
    assert said in fault.reason
    assert (before, after) == (RawRow(1, {"a": 1}), RawRow(3, {"a": 3}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[{"a": 1}', "behind row 1, at byte 9: the file ends too early"),
        (b'[{"a": 1}, {"a": ', "the file ends inside the next row"),
        (b'[{"a": 1}, {"a": "\\', "the file ends inside the next row"),
        (b'[{"a": 1} {"a": 2}]', "behind row 1, at byte 10: a comma or ] is needed"),
        (b'[{"a": 1},]', "no value after it"),
        (b'[,{"a": 1}]', "a value is needed"),
        (b'{"rows": [{"a": 1}]}', 'no array under "data"'),
        (b'{"data": {"a": 1}}', 'no array under "data"'),
        (b'{"data" [', "a colon is needed"),
        (b"text", "[ or { is needed"),
        (b'{"a": 1}', 'no array under "data"'),
    ],
)
def test_a_file_whose_structure_is_broken_is_refused_with_the_place(read, content, said):
    with pytest.raises(DataFileError, match="this JSON file is broken") as refused:
        read(content)
    assert said in refused.value.given


def test_json_lines_that_are_called_json_are_read_as_what_they_are(read):
    assert read(b'{"a": 1}\n{"a": 2}\n') == [RawRow(1, {"a": 1}), RawRow(2, {"a": 2})]


@pytest.mark.parametrize("content", [b"[]", b'{"data": []}', b" \n"])
def test_an_array_without_elements_holds_no_rows(read, content):
    with pytest.raises(DataFileError, match="holds no rows"):
        read(content)


@settings(deadline=None, max_examples=200)
@given(
    rows=st.lists(
        st.dictionaries(st.text(max_size=4), st.one_of(st.text(max_size=20), st.integers(), st.none(), st.lists(st.booleans()))), min_size=1
    ),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
    chunk=st.sampled_from([1, 2, 7, 65_536]),
)
def test_whatever_a_writer_wrote_is_read_back_wherever_the_chunks_end(rows, indent, ascii_only, chunk):
    import io
    from pathlib import Path

    text = json.dumps({"x": [rows], "data": rows} if chunk % 2 else rows, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    before, reader._CHUNK = reader._CHUNK, chunk
    try:
        read = list(reader.Json().rows(io.BytesIO(text), Path("rows.json"), 100_000))
    finally:
        reader._CHUNK = before
    assert [row.columns for row in read] == json.loads(text)["data"] if chunk % 2 else json.loads(text)


def test_an_array_of_40_mb_takes_the_memory_of_one_row(tmp_path):
    path = tmp_path / "rows.json"
    with path.open("wb") as stream:
        stream.write(b'[{"text": "first"}')
        for _ in range(400):
            stream.write(b',{"text": "' + b"x" * 100_000 + b'"}')
        stream.write(b"]")
    tracemalloc.start()
    count = sum(1 for _ in open_rows(path, layout_name="columns", max_row_bytes=200_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 401
    assert peak < 5_000_000


def test_an_element_that_is_too_long_is_never_held(tmp_path):
    path = tmp_path / "rows.json"
    path.write_bytes(b'[{"a": "' + b"x" * 30_000_000 + b'"}, {"a": 2}]')
    tracemalloc.start()
    rows = list(open_rows(path, max_row_bytes=100_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == [RowFault(1, "longer than 100,000 bytes (checks.max_row_bytes)"), RawRow(2, {"a": 2})]
    assert peak < 2_000_000
