"""What every reader promises; a new one needs an entry in CASES and is then tested by being in the table."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatrack.core.errors import DataFileError
from hatrack.data.readers.base import READERS, open_rows
from hatrack.data.records import RawRow, RowFault
from made_files import FIXTURES, make_docx, make_parquet, make_pdf

TEXTS = ["eins, zwei", 'sagt "ja"', "é\u2028 🙂", "vier"]


@dataclass(frozen=True)
class Case:
    """A good file, its rows' numbers and texts; a broken one, the number of its fault and, for rows, how many rows it has in all."""

    good: Callable[[], bytes]
    numbers: list[int]
    texts: list[str]
    broken: Callable[[], bytes]
    fault: int = 1
    is_text: bool = True


def text(content: str) -> Callable[[], bytes]:
    return lambda: content.encode()


def fixture(name: str) -> Callable[[], bytes]:
    return lambda: (FIXTURES / name).read_bytes()


def parquet_rows(texts: list[str]) -> bytes:
    return make_parquet([{"text": text} for text in texts])


CASES = {
    "jsonl": Case(
        text('{"text": "eins, zwei"}\n{"text": "sagt \\"ja\\""}\n\n{"text": "é\u2028 🙂"}\n{"text": "vier"}'),
        [1, 2, 4, 5],
        TEXTS,
        text('{"text": "eins"}\n{"te\n{"text": "drei"}\n'),
        2,
    ),
    "json": Case(
        text('[{"text": "eins, zwei"},\n {"text": "sagt \\"ja\\""} ,{"text": "é\u2028 🙂"},\n{"text": "vier"}\n]\n'),
        [1, 2, 3, 4],
        TEXTS,
        text('[{"text": "eins"}, {"text": nul}, {"text": "drei"}]'),
        2,
    ),
    "csv": Case(
        text('text,id\n"eins, zwei",a\n"sagt ""ja""",b\n\n"é\u2028 🙂",c\nvier,d'),
        [2, 3, 5, 6],
        TEXTS,
        text("text,id\neins,a\nzwei,b,drei\nvier,d\n"),
        3,
    ),
    "parquet": Case(
        lambda: parquet_rows(TEXTS),
        [1, 2, 3, 4],
        TEXTS,
        lambda: parquet_rows(["eins", "zw\0ei", "drei"]).replace(b"zw\0ei", b"zw\xffei"),
        2,
        False,
    ),
    "transcript": Case(
        text('Agent: eins, zwei\nKunde: sagt "ja"\n\nAgent: é\u2028 🙂\n(00:12) Kunde: vier\n'),
        [1, 2, 4, 5],
        TEXTS,
        text("Agent: eins\nKunde:\nAgent: drei\n"),
        2,
    ),
    "webvtt": Case(
        text(
            "WEBVTT\n\n00:01.000 --> 00:02.000\n<v A>eins, zwei</v>\n\n00:02.000 --> 00:03.000\n<v B>sagt &quot;ja&quot;</v>\n\n"
            "00:03.000 --> 00:04.000\n<v A>é\u2028 🙂\n\n00:04.000 --> 00:05.000\nKunde: vier"
        ),
        [4, 7, 10, 13],
        TEXTS,
        text("WEBVTT\n\n00:01.000 --> 00:02.000\nA: eins\n\n00:02.000 --> 00:03.000\nwer?\n\n00:03.000 --> 00:04.000\nA: drei\n"),
        7,
    ),
    "text": Case(text("eins,\nzwei\n\n\té\u2028 🙂\n"), [1], ["eins,\nzwei\n\né\u2028 🙂"], fixture("not_utf8.txt")),
    "markdown": Case(text("# eins\n\nzwei\n\né\u2028 🙂\n"), [1], ["eins\n\nzwei\n\né\u2028 🙂"], fixture("not_utf8.md")),
    "html": Case(text("<h1>eins</h1>\n<p>zwei</p><p>é\u2028 🙂"), [1], ["eins\n\nzwei\n\né\u2028 🙂"], fixture("not_utf8.html")),
    "docx": Case(
        lambda: make_docx([("Heading 1", "eins"), ("Normal", "é\u2028 🙂")]),
        [1],
        ["eins\n\né\u2028 🙂"],
        lambda: make_docx()[:-300],
        is_text=False,
    ),
    "pdf": Case(lambda: make_pdf(["eins", "zwei"]), [1], ["eins\n\nzwei"], lambda: make_pdf()[:300], is_text=False),
}
every_reader = pytest.mark.parametrize("name", READERS.names())
of_rows = pytest.mark.parametrize("name", [name for name in READERS.names() if not READERS.get(name).document])
of_documents = pytest.mark.parametrize("name", [name for name in READERS.names() if READERS.get(name).document])
of_text = pytest.mark.parametrize("name", [name for name in READERS.names() if name not in CASES or CASES[name].is_text])


@cache
def good(name):
    return CASES[name].good()


def read(name, content, limit=100_000):
    path = Path("file" + READERS.get(name)().suffixes[0])
    return list(READERS.get(name)().rows(io.BytesIO(content), path, limit))


def test_every_reader_has_a_case():
    assert set(CASES) == set(READERS.names())


@every_reader
def test_a_reader_says_what_its_files_are(name):
    reader = READERS.get(name)
    assert reader.suffixes
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in reader.suffixes)
    assert good(name).startswith(reader.magic)
    assert bool(reader.magic) != CASES[name].is_text
    assert isinstance(reader().sniff(good(name)), str)
    assert reader().sniff(b"") == ""


@every_reader
def test_a_good_file_is_read_and_numbered(name):
    rows = read(name, good(name))
    assert [row.number for row in rows] == CASES[name].numbers
    assert [row.columns["text"] for row in rows] == CASES[name].texts


@of_text
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(name, mark, ending):
    rows = read(name, mark + good(name).replace(b"\n", ending))
    assert [(row.number, row.columns["text"]) for row in rows] == list(zip(CASES[name].numbers, CASES[name].texts, strict=True))


@of_rows
def test_F08_a_broken_row_is_a_numbered_fault_and_reading_goes_on(name):
    first, fault, last = read(name, CASES[name].broken())
    assert isinstance(fault, RowFault)
    assert fault.number == CASES[name].fault
    assert fault.reason
    assert isinstance(first, RawRow)
    assert isinstance(last, RawRow)
    assert first.number < fault.number < last.number


@of_documents
def test_F08_a_broken_document_of_a_folder_is_a_numbered_fault_and_reading_goes_on(name, tmp_path):
    suffix = READERS.get(name).suffixes[0]
    for i, content in enumerate((good(name), CASES[name].broken(), good(name))):
        (tmp_path / f"{i}{suffix}").write_bytes(content)
    first, fault, last = open_rows(tmp_path)
    assert isinstance(fault, RowFault)
    assert (first.number, fault.number, last.number) == (1, 2, 3)
    assert fault.reason.startswith(f"1{suffix}: ")
    assert (first.columns["source"], last.columns["source"]) == (f"0{suffix}", f"2{suffix}")


@of_documents
def test_a_document_has_title_text_sections_and_source(name):
    (row,) = read(name, good(name))
    assert list(row.columns) == ["title", "text", "sections", "source"]
    assert row.columns["title"]
    assert row.columns["source"] == "file" + READERS.get(name).suffixes[0]
    assert all(set(section) == {"heading", "level", "text"} for section in row.columns["sections"])
    parts = [part for section in row.columns["sections"] for part in (section["heading"], section["text"]) if part]
    assert "\n\n".join(parts) == row.columns["text"]


@every_reader
def test_F08_a_row_that_is_too_long_is_a_fault_with_the_limit(name):
    rows = read(name, good(name), 9)
    faults = [row for row in rows if isinstance(row, RowFault)]
    assert faults
    assert any("9 bytes (checks.max_row_bytes)" in fault.reason for fault in faults)


@every_reader
def test_nothing_in_is_nothing_out_and_open_rows_says_so(name, tmp_path):
    assert read(name, b"") == []
    path = tmp_path / ("empty" + READERS.get(name)().suffixes[0])
    path.write_bytes(b"")
    with pytest.raises(DataFileError, match="holds no rows"):
        list(open_rows(path))


@every_reader
def test_open_rows_finds_the_reader_by_the_ending_in_any_case_or_by_name(name, tmp_path):
    count = len(CASES[name].numbers)
    content = good(name)
    for suffix in READERS.get(name)().suffixes:
        for ending in (suffix, suffix.upper()):
            path = tmp_path / f"rows{ending}"
            path.write_bytes(content.replace(b",", b"\t") if ending.lower() == ".tsv" else content)
            assert len(list(open_rows(path, layout_name="columns"))) == count
    other = tmp_path / "rows.data"
    other.write_bytes(content)
    assert len(list(open_rows(other, name, layout_name="columns"))) == count
    with pytest.raises(DataFileError, match="not known"):
        list(open_rows(other))


def sound(name, rows):
    numbers = [row.number for row in rows]
    # a line of captions may hold the turns of several voices
    assert numbers == sorted(numbers if name == "webvtt" else set(numbers))
    assert all(number >= 1 for number in numbers)
    for row in rows:
        assert isinstance(row, RawRow | RowFault)
        assert row.reason if isinstance(row, RowFault) else all(isinstance(key, str) for key in row.columns)


def examples(name):
    return 12 if name == "pdf" else 150  # each PDF takes a process


@every_reader
def test_garbage_never_raises_anything_but_a_clear_refusal_of_the_file(name):
    @settings(max_examples=examples(name), deadline=None)
    @given(content=st.binary(max_size=400), limit=st.sampled_from([20, 1000]), begins=st.booleans())
    def check(content, limit, begins):
        with contextlib.suppress(DataFileError):
            sound(name, read(name, (READERS.get(name).magic if begins else b"") + content, limit))

    check()


@every_reader
def test_damage_in_a_good_file_never_raises_anything_else(name):
    content = good(name)

    @settings(max_examples=examples(name), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        at=st.integers(0, len(content)),
        bad=st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(str.encode), st.binary(max_size=4)),
        cut=st.integers(0, 8),
    )
    def check(at, bad, cut):
        with contextlib.suppress(DataFileError):
            sound(name, read(name, content[:at] + bad + content[at + cut :]))

    check()


@every_reader
def test_a_file_that_ends_too_early_never_raises_anything_else(name):
    content = good(name)
    for end in range(0, len(content), max(1, len(content) // examples(name))):
        with contextlib.suppress(DataFileError):
            sound(name, read(name, content[:end]))
