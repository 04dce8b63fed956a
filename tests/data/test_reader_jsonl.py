"""JSON Lines: every line is a numbered row or a numbered fault, whatever stands in it."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from hatrack.core.errors import ConfigError, DataFileError
from hatrack.data.readers.base import open_rows
from hatrack.data.records import RawRow, RowFault


@pytest.fixture
def read(tmp_path):
    def rows(content: bytes, **keys):
        path = tmp_path / "rows.jsonl"
        path.write_bytes(content)
        return list(open_rows(path, **keys))

    return rows


def test_every_line_is_a_row_with_its_number(read):
    assert read(b'{"a": 1}\n{"a": 2}') == [RawRow(1, {"a": 1}), RawRow(2, {"a": 2})]


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c"])
def test_only_a_line_feed_ends_a_record(read, mark):
    written = json.dumps({"text": f"one{mark}two"}, ensure_ascii=False) if mark > " " else json.dumps({"text": f"one{mark}two"})
    assert read(written.encode() + b'\n{"text": "next"}\n') == [RawRow(1, {"text": f"one{mark}two"}), RawRow(2, {"text": "next"})]


def test_a_byte_order_mark_and_windows_line_ends_are_no_content(read):
    assert read(b'\xef\xbb\xbf{"a": "x"}\r\n{"a": "y"}\r\n') == [RawRow(1, {"a": "x"}), RawRow(2, {"a": "y"})]


def test_blank_lines_are_skipped_and_counted(read):
    assert read(b'\n{"a": 1}\n   \n\r\n{"a": 2}\n') == [RawRow(2, {"a": 1}), RawRow(5, {"a": 2})]


def test_F08_a_row_that_is_not_utf8_is_a_fault_with_number_and_byte(read):
    good, bad, after = read(b'{"a": 1}\n{"a": "caf\xe9"}\n{"a": 3}\n')
    assert isinstance(bad, RowFault)
    assert bad.number == 2
    assert "0xe9 at position 10" in bad.reason
    assert (good, after) == (RawRow(1, {"a": 1}), RawRow(3, {"a": 3}))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"a": 1', "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": 1} {"a": 2}', "not valid JSON"),
        (b'{"a": "x\x00y"}', "not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"[" * 100_000, "nests brackets more than 100 deep"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' occurs twice"),
        (b'{"x": {"a": 1, "a": 3}}', "the key 'a' occurs twice"),
        (b'["a"]', "this is list"),
        (b'"text"', "this is str"),
        (b'{"a": "\\ud83d"}', "half of a surrogate pair"),
    ],
)
def test_F08_a_bad_line_is_a_fault_and_reading_goes_on(read, line, said):
    before, fault, after = read(b'{"a": 1}\n' + line + b'\n{"a": 3}\n')
    assert isinstance(fault, RowFault)
    assert fault.number == 2
    assert said in fault.reason
    assert len(fault.excerpt) <= 240
    assert (before, after) == (RawRow(1, {"a": 1}), RawRow(3, {"a": 3}))


def test_a_whole_surrogate_pair_is_a_character(read):
    assert read(b'{"a": "\\uD83D\\uDE00"}\n') == [RawRow(1, {"a": "\U0001f600"})]


def test_a_line_of_5_mb_is_a_fault_and_is_never_held_in_memory(tmp_path):
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as stream:
        stream.write(b'{"a": 1}\n{"a": "')
        for _ in range(50):
            stream.write(b"x" * 100_000)
        stream.write(b'"}\n{"a": 3}\n')
    tracemalloc.start()
    rows = list(open_rows(path, max_row_bytes=100_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == [RawRow(1, {"a": 1}), RowFault(2, "longer than 100,000 bytes (checks.max_row_bytes)"), RawRow(3, {"a": 3})]
    assert peak < 1_000_000


def test_a_row_of_exactly_the_limit_is_read(read):
    row = b'{"a": "' + b"x" * 91 + b'"}'
    assert len(row) == 100
    assert [type(r) for r in read(row + b"\n" + row + b" \n" + row, max_row_bytes=100)] == [RawRow, RowFault, RawRow]


def test_a_long_last_line_without_an_end_is_a_fault(read):
    assert read(b"x" * 500, max_row_bytes=100) == [RowFault(1, "longer than 100 bytes (checks.max_row_bytes)")]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf\n"])
def test_a_file_without_rows_is_refused(read, content):
    with pytest.raises(DataFileError, match="holds no rows"):
        read(content)


def test_a_missing_file_is_refused_with_the_nearest_name(tmp_path):
    (tmp_path / "train.jsonl").write_text("{}")
    with pytest.raises(DataFileError, match=r"did you mean train\.jsonl\?"):
        list(open_rows(tmp_path / "trian.jsonl"))


def test_a_missing_folder_is_a_missing_file(tmp_path):
    with pytest.raises(DataFileError, match="no such data file"):
        list(open_rows(tmp_path / "no" / "train.jsonl"))


def test_an_unknown_ending_is_refused_and_a_named_format_reads_it(tmp_path):
    path = tmp_path / "rows.data"
    path.write_bytes(b'{"a": 1}\n')
    with pytest.raises(DataFileError, match="format of this data file is not known"):
        list(open_rows(path))
    assert list(open_rows(path, "jsonl")) == [RawRow(1, {"a": 1})]
    with pytest.raises(ConfigError, match=r"did you mean parquet\?"):
        list(open_rows(path, "parket"))
