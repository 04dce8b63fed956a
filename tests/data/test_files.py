"""Files as they lie on a disk: packed, misnamed, many in a folder."""

from __future__ import annotations

import gzip

import pytest

from hatrack.core.errors import DataFileError
from hatrack.data.readers.base import READERS, open_rows, sources
from hatrack.data.records import RawRow, RowFault
from made_files import make_docx, make_parquet, make_pdf

ROW = b'{"text": "a\xe2\x80\xa8b"}\n'


def write(folder, **files):
    """``a__b_csv="..."`` writes ``a/b.csv``."""
    for name, content in files.items():
        stem, _, suffix = name.replace("__", "/").rpartition("_")
        path = folder / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.mark.parametrize(
    ("name", "content"), [("a.jsonl.gz", ROW), ("a.CSV.GZ", b"text\na\xe2\x80\xa8b\n"), ("a.json.gz", b"[" + ROW + b"]")]
)
def test_a_packed_file_is_read_as_what_is_in_it(tmp_path, name, content):
    (tmp_path / name).write_bytes(gzip.compress(content))
    assert [row.columns for row in open_rows(tmp_path / name)] == [{"text": "a\u2028b"}]


def test_a_transcript_may_be_packed_although_it_is_looked_at_twice(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"Agent: a\nCaller: b\nAgent: c\n"))
    assert len(list(open_rows(tmp_path / "a.txt.gz", layout_name="columns"))) == 3


@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-9], lambda packed: packed[:30] + b"\xff" * 9 + packed[39:], lambda packed: packed[:-6] + b"xxxxxx"]
)
def test_a_damaged_gzip_file_is_refused(tmp_path, damage):
    import random

    noise = b"".join(b'{"text": "%d"}\n' % random.Random(i).getrandbits(200) for i in range(200))
    (tmp_path / "a.jsonl.gz").write_bytes(damage(gzip.compress(noise)))
    with pytest.raises(DataFileError, match="this gzip file is damaged"):
        list(open_rows(tmp_path / "a.jsonl.gz"))


def test_gz_without_gzip_is_refused(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(ROW)
    with pytest.raises(DataFileError, match="not what its ending says") as refused:
        list(open_rows(tmp_path / "a.jsonl.gz"))
    assert "no gzip file" in refused.value.given


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", make_docx(), "a zip archive, as .docx and .xlsx are"),
        ("a.csv", make_parquet([{"a": 1}]), "a Parquet file"),
        ("a.jsonl", make_pdf(), "a PDF"),
        ("a.json", gzip.compress(ROW, mtime=0), "a gzip file; let its name end in .gz"),
        ("a.csv", "text,label\na,b\n".encode("utf-16"), "UTF-16 text"),
        ("a.csv", "text,label\na,b\n".encode("utf-16-le"), "binary data or UTF-16 text"),
        ("a.csv", b"<!DOCTYPE html><html>Please log in", "a web page"),
        ("a.jsonl", b"\n<html>Please log in", "a web page"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 9, "an old Office file (.doc, .xls) or an Office file with a password"),
        ("a.pdf", b"just text", "text"),
        ("a.parquet", b"a,b\n1,2\n", "text"),
        ("a.docx", b"%PDF-1.4", "a PDF"),
        ("a.txt", b"\x89PNG\r\n", "an image"),
        ("a.jsonl.gz", gzip.compress(make_pdf(), mtime=0), "a PDF"),
    ],
)
def test_a_file_that_is_not_what_its_ending_says_is_refused_with_what_it_is(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataFileError, match="this file is not what its ending says") as refused:
        list(open_rows(tmp_path / name))
    assert f"begins like {said}" in refused.value.given


def test_a_format_that_was_asked_for_must_fit_the_content_too(tmp_path):
    (tmp_path / "a.data").write_bytes(make_pdf())
    with pytest.raises(DataFileError, match="not of the format asked for"):
        list(open_rows(tmp_path / "a.data", "csv"))


def test_the_files_of_a_folder_are_read_in_order_and_rows_numbered_on(tmp_path):
    write(tmp_path, b_jsonl='{"a": 1}\n\n{"a": 2}\n', sub__a_csv="a\n3\n4\n", _hidden_csv="", a_json='[{"a": 0}]', note_bak="x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.csv").write_text("a\n9\n")
    rows = list(open_rows(tmp_path))
    assert rows[1:] == [
        RawRow(2, {"a": 0, "source": "a.json"}),
        RawRow(3, {"a": 1, "source": "b.jsonl"}),
        RawRow(4, {"a": 2, "source": "b.jsonl"}),
        RawRow(5, {"a": "3", "source": "sub/a.csv"}),
        RawRow(6, {"a": "4", "source": "sub/a.csv"}),
    ]
    assert rows[0] == RowFault(1, "_hidden.csv: the file is empty")


def test_F08_what_cannot_be_read_in_a_folder_is_a_fault_with_the_files_name(tmp_path):
    write(tmp_path, a_csv=b"text,label\nx,y\ncaf\xe9,y\n", b_csv=make_docx(), c_jsonl='{"a": 1}\n[]\n', d_json="[{", e_csv="a\n5\n")
    rows = list(open_rows(tmp_path, layout_name="columns"))
    assert [row.number for row in rows] == list(range(1, 8))
    reasons = {row.number: row.reason for row in rows if isinstance(row, RowFault)}
    assert set(reasons) == {2, 3, 5, 6}
    assert reasons[2].startswith("a.csv: this CSV file is not UTF-8 (")
    assert reasons[3].startswith("b.csv: this file is not what its ending says (")
    assert reasons[5] == "c.jsonl, row 2: a JSON object is needed, this is list"
    assert reasons[6].startswith("d.json: this JSON file is broken (")


def test_a_folder_of_documents_and_rows_is_refused_until_one_format_is_named(tmp_path):
    write(tmp_path, a_md="# a\nx", b_csv="a\n1\n")
    with pytest.raises(DataFileError, match="documents and files of rows") as refused:
        list(open_rows(tmp_path))
    assert "a.md (markdown) and b.csv (csv)" in refused.value.given
    assert [row.columns["source"] for row in open_rows(tmp_path, "markdown")] == ["a.md"]


@pytest.mark.parametrize("files", [{}, {"a_png": b"x"}])
def test_a_folder_without_a_file_that_can_be_read_is_refused(tmp_path, files):
    with pytest.raises(DataFileError, match="holds no file that can be read"):
        list(open_rows(write(tmp_path, **files)))


def test_a_pipe_is_refused_and_never_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(DataFileError, match="cannot be opened") as refused:
        list(open_rows(tmp_path / "a.csv"))
    assert "no regular file" in refused.value.given
    write(tmp_path, b_csv="a\n1\n")
    assert [row.columns["a"] for row in open_rows(tmp_path)] == ["1"]


@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "a\0b.csv"])
def test_a_name_that_cannot_be_one_is_refused(tmp_path, name):
    with pytest.raises(DataFileError, match="cannot be opened"):
        list(open_rows(tmp_path / name))


def test_a_folder_that_may_not_be_read_is_refused_and_not_left_out(tmp_path, monkeypatch):
    import os

    write(tmp_path, a_csv="a\n1\n", sub__b_csv="a\n2\n")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataFileError, match="cannot be opened") as refused:
        list(open_rows(tmp_path))
    assert refused.value.given == f"{tmp_path / 'sub'}: Permission denied"


def test_sources_names_the_files_that_are_read(tmp_path):
    write(tmp_path, a_txt="Agent: a\nCaller: b\n", b_vtt="WEBVTT\n", c_png="x")
    assert [(source.name, source.reader) for source in sources(tmp_path)] == [("a.txt", "transcript"), ("b.vtt", "webvtt")]


def test_transcripts_of_a_folder_are_told_apart_by_their_file(tmp_path):
    write(tmp_path, a_txt="Caller: one?\nAgent: yes\n", b_txt="Caller: two?\nAgent: no\n")
    assert [(row.number, row.columns["id"]) for row in open_rows(tmp_path)] == [(1, "a.txt#1"), (3, "b.txt#1")]


def test_every_ending_belongs_to_readers_of_the_table():
    endings = [suffix for name in READERS.names() for suffix in READERS.get(name).suffixes]
    assert {".jsonl", ".csv", ".json", ".parquet", ".txt", ".vtt", ".md", ".html", ".docx", ".pdf"} <= set(endings)
