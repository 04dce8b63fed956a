"""Rows of a file as a page shows them: where they stand, what is marked, what is cut, and what never appears."""

from __future__ import annotations

import json

import pytest

from conftest import write_jsonl
from hatrack.core.config_prepare import PiiPolicy
from hatrack.core.errors import DataFileError
from hatrack.data import first_rows as first_rows_module
from hatrack.data.first_rows import first_rows
from hatrack.data.records import RawRow, RowFault
from hatrack.safety.redact import Change

MAIL = "j.doe@kolo.org"
POLICY = PiiPolicy()


def words(rows):
    """All that a page could show of them."""
    return json.dumps([[str(piece) for piece in cell] for row in rows.rows for cell in (*row.cells, (row.fault,))] + [str(rows.columns)])


def test_a_page_holds_so_many_rows_and_knows_whether_more_follow(tmp_path):
    path = write_jsonl(tmp_path / "rows.jsonl", [{"text": f"row {i}", "label": "a"} for i in range(1, 46)])
    first, last = first_rows(path, POLICY), first_rows(path, POLICY, 40)
    assert [row.number for row in first.rows] == list(range(1, 21))
    assert (first.more, first.left_out, first.columns) == (True, 0, (("text",), ("label",)))
    assert ([row.number for row in last.rows], last.more) == ([41, 42, 43, 44, 45], False)
    assert last.rows[0].cells == (("row 41",), ("a",))
    assert first_rows(path, POLICY, 45).rows == ()


@pytest.mark.parametrize("mode", ["report", "off", "mask", "pseudonym", "drop"])
def test_what_is_found_is_marked_and_in_no_mode_shown(tmp_path, mode):
    path = write_jsonl(
        tmp_path / "rows.jsonl", [{"text": f"write to {MAIL} now", "about": {"from": MAIL}}, {"text": "nothing", "about": None}]
    )
    rows = first_rows(path, PiiPolicy(mode=mode))
    before, mark, after = rows.rows[0].cells[0]
    assert (before, after) == ("write to ", " now")
    assert isinstance(mark, Change)
    assert (mark.type, mark.shown) == ("EMAIL_ADDRESS", f"j… ({len(MAIL)} characters)")
    assert rows.found == {"EMAIL_ADDRESS": 1}, "rows are counted, not values"
    assert rows.rows[1].cells == (("nothing",), ())
    assert MAIL not in words(rows) + repr(rows)
    assert "nothing" not in repr(rows)


def test_nor_is_it_in_what_cannot_be_read_or_in_a_first_line_without_names(tmp_path):
    (tmp_path / "rows.csv").write_text(f"{MAIL},label\na,b\nc,{MAIL},d\n")
    rows = first_rows(tmp_path / "rows.csv", POLICY)
    assert [type(piece) for piece in rows.columns[0]] == [Change]
    assert "3 fields where the header has 2" in rows.rows[1].fault
    assert MAIL not in words(rows)


def test_long_cells_are_cut_and_no_half_of_a_value_is_left_at_the_cut(tmp_path):
    texts = ["x " * 300, "x " * 596 + MAIL, "of " + f"{MAIL} " * 90]
    rows = first_rows(write_jsonl(tmp_path / "rows.jsonl", [{"text": text} for text in texts]), POLICY)
    assert sum(map(len, rows.rows[0].cells[0])) <= 401
    assert all(row.cells[0][-1].endswith("…") for row in rows.rows)
    assert "j.doe" not in words(rows)


def test_many_columns_are_counted(tmp_path):
    rows = first_rows(write_jsonl(tmp_path / "rows.jsonl", [{f"c{i}": i for i in range(61)}]), POLICY)
    assert (len(rows.columns), len(rows.rows[0].cells), rows.left_out) == (40, 40, 21)
    assert rows.rows[0].cells[39] == ("39",)


def test_halves_of_surrogate_pairs_can_be_sent_where_a_reader_gives_them(tmp_path, monkeypatch):
    """Those that are here give none; one that is installed may."""
    given = [RawRow(1, {"text": "a \ud83d b"}), RowFault(2, "broken", "\ud83d")]
    monkeypatch.setattr(first_rows_module, "open_rows", lambda *about: iter(given))
    rows = first_rows(tmp_path / "rows.jsonl", POLICY)
    assert rows.rows[0].cells == (("a ? b",),)
    assert rows.rows[1].fault == "broken: ?"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataFileError, match="no such data file"):
        first_rows(tmp_path / "rows.csv", POLICY)
