"""Bare texts to classify: a column of a data file or the lines of a text file; nothing is left out in silence."""

from __future__ import annotations

import pytest

from hatrack.core.errors import DataFileError, RowErrors
from hatrack.data.texts import read_texts


@pytest.fixture
def read(tmp_path):
    def texts(name: str, content: bytes, column: str = "text"):
        (tmp_path / name).write_bytes(content)
        return read_texts(tmp_path / name, column)

    return texts


def test_the_lines_of_a_text_file_keep_their_numbers(read):
    assert read("a.txt", b"\xef\xbb\xbfone\r\n\n  two \n") == [(1, "one"), (3, "  two ")]


def test_a_line_separator_inside_a_text_does_not_end_it(read):
    assert read("a.txt", "one\u2028more\nnext\n".encode()) == [(1, "one\u2028more"), (2, "next")]


def test_a_column_of_a_data_file_is_read(read):
    assert read("a.csv", b"id,body\n1,one\n2,two\n", "body") == [(2, "one"), (3, "two")]
    assert read("a.jsonl", b'{"text": "one"}\n') == [(1, "one")]


def test_a_missing_column_is_refused_with_the_nearest(read):
    with pytest.raises(DataFileError, match="--column text"):
        read("a.csv", b"id,text\n1,one\n", "txt")


@pytest.mark.parametrize("row", [b'{"text": ""}', b'{"text": 5}', b'{"other": "x"}', b"not json"])
def test_F08_a_row_without_text_is_refused_with_its_number(read, row):
    with pytest.raises(RowErrors, match="row 2: "):
        read("a.jsonl", b'{"text": "one"}\n' + row + b'\n{"text": "three"}\n')


def test_a_text_file_that_is_not_utf8_is_refused_with_its_line(read):
    with pytest.raises(RowErrors, match="row 2: byte 0xe9"):
        read("a.txt", b"one\ncaf\xe9\n")


def test_a_line_over_a_megabyte_is_refused(read):
    with pytest.raises(RowErrors, match="row 2: longer than"):
        read("a.txt", b"one\n" + b"x" * 1_100_000)


@pytest.mark.parametrize(("name", "content"), [("a.txt", b"\n \n"), ("a.txt", b""), ("a.jsonl", b"")])
def test_a_file_without_text_is_refused(read, name, content):
    with pytest.raises(DataFileError):
        read(name, content)


@pytest.mark.parametrize("name", ["no.txt", "no.jsonl"])
def test_a_missing_file_is_refused(tmp_path, name):
    with pytest.raises(DataFileError, match="no such"):
        read_texts(tmp_path / name, "text")
