"""CSV: quoted line ends, the delimiters spreadsheets write, and a numbered fault for every row that does not fit."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.core.errors import DataFileError
from hatrack.data.readers.base import open_rows
from hatrack.data.readers.csv import Csv
from hatrack.data.records import RawRow, RowFault


@pytest.fixture
def read(tmp_path):
    def rows(content: bytes, name: str = "rows.csv", **keys):
        path = tmp_path / name
        path.write_bytes(content)
        return list(open_rows(path, **keys))

    return rows


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_the_header_uses(read, delimiter):
    content = "text,label\n'a b',x\n".replace(",", delimiter).encode()
    assert read(content) == [RawRow(2, {"text": "'a b'", "label": "x"})]


def test_a_byte_order_mark_and_windows_line_ends_are_no_content(read):
    assert read(b"\xef\xbb\xbftext,label\r\na,x\r\n") == [RawRow(2, {"text": "a", "label": "x"})]


@pytest.mark.parametrize("mark", ["\u2028", "\u0085", "\x0b", "\x1c", "\x00"])
def test_only_a_line_feed_ends_a_row(read, mark):
    assert read(f"text,label\none{mark}two,x\nb,y\n".encode())[0] == RawRow(2, {"text": f"one{mark}two", "label": "x"})


def test_a_quoted_field_may_hold_line_ends_and_the_row_has_the_number_of_its_first_line(read):
    rows = read(b'text,label\n"one\n\ntwo ""q"", three",x\nnext,y\n')
    assert rows == [RawRow(2, {"text": 'one\n\ntwo "q", three', "label": "x"}), RawRow(5, {"text": "next", "label": "y"})]


def test_blank_lines_are_skipped_and_counted(read):
    assert read(b"text,label\n\na,x\n\n\nb,y\n") == [RawRow(3, {"text": "a", "label": "x"}), RawRow(6, {"text": "b", "label": "y"})]


@pytest.mark.parametrize(("line", "said"), [(b"a", "1 fields where the header has 2"), (b"a,b,c", "3 fields where the header has 2")])
def test_F08_a_row_with_another_number_of_fields_is_a_fault(read, line, said):
    _, fault, after = read(b"text,label\na,x\n" + line + b"\nb,y\n")
    assert isinstance(fault, RowFault)
    assert (fault.number, fault.reason) == (3, said)
    assert after == RawRow(4, {"text": "b", "label": "y"})


def test_F08_broken_quoting_is_a_fault(read):
    fault, after = read(b'text,label\n"a"b,x\nc,y\n')
    assert isinstance(fault, RowFault)
    assert fault.number == 2
    assert after == RawRow(3, {"text": "c", "label": "y"})


def test_F08_a_quote_that_never_closes_is_a_fault_of_every_row_it_takes_in(read):
    good, fault, *lost = read(b'text,label\nb,y\n"never,x\n' + b"c,z\n" * 20)
    assert good == RawRow(2, {"text": "b", "label": "y"})
    assert fault == RowFault(3, "not valid CSV: unexpected end of data")
    assert lost == [RowFault(number, "inside the quote of row 3") for number in range(4, 24)]


def test_a_line_over_the_limit_is_a_fault_and_reading_goes_on(read):
    fault, after = read(b"text,label\n" + b"z" * 5000 + b",x\nb,y\n", max_row_bytes=1000)
    assert fault == RowFault(2, "longer than 1,000 bytes (checks.max_row_bytes)")
    assert after == RawRow(3, {"text": "b", "label": "y"})


def test_a_quoted_field_over_many_lines_is_limited_too(read):
    fault, *_ = read(b'text,label\n"' + b"z\n" * 5000 + b'",x\n', max_row_bytes=1000)
    assert isinstance(fault, RowFault)
    assert "field limit" in fault.reason


def test_a_file_that_is_not_utf8_is_refused_with_its_line(read):
    with pytest.raises(DataFileError, match="not UTF-8") as refused:
        read("text,label\na,x\ncafé,y\n".encode("latin-1"))
    assert "line 3: byte 0xe9 at position 3" in str(refused.value)


def test_two_columns_of_one_name_are_refused(read):
    with pytest.raises(DataFileError, match="two columns of this file have the same name"):
        read(b"text,text\na,b\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\ntext,label\na,x\n", "has no header"),
        (b"z" * 5000 + b"\na\n", "has no header"),
        (b"text,label\ra,x\r", "header of this CSV file cannot be read"),
        (b'"te\nxt",label\na,x\n', "header of this CSV file cannot be read"),
    ],
)
def test_a_header_that_is_none_is_refused(read, content, said):
    with pytest.raises(DataFileError, match=said):
        read(content, max_row_bytes=1000)


@pytest.mark.parametrize("content", [b"", b"text,label\n", b"text,label\n\n"])
def test_a_file_without_rows_is_refused(read, content):
    with pytest.raises(DataFileError, match="holds no rows"):
        read(content)


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1)


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4))
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory, pairs):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("text", "label"), *pairs])
    stream = io.BytesIO(text.getvalue().encode())
    rows = list(Csv().rows(stream, tmp_path_factory.getbasetemp() / "x.csv", 1_000_000))
    assert [(row.columns["text"], row.columns["label"]) for row in rows] == pairs
