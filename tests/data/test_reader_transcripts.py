"""Transcripts and captions: who speaks, when a call ends, and what is no transcript."""

from __future__ import annotations

import pytest

from hatrack.core.errors import DataFileError
from hatrack.data.readers.base import open_rows
from hatrack.data.readers.labels import Label, labelled
from hatrack.data.readers.transcript import Transcript
from hatrack.data.records import RawRow, RowFault
from made_files import FIXTURES


@pytest.fixture
def read(tmp_path):
    def rows(name: str, content: str, format_name: str = "auto", **keys):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8", newline="")
        return list(open_rows(path, format_name, layout_name="columns", **keys))

    return rows


def calls(rows):
    """Conversation, speaker and text of each row."""
    return [tuple(row.columns[key] for key in ("conversation", "speaker", "text")) for row in rows]


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("Agent: Good morning.", Label("Agent", "", "Good morning.")),
        ("agent 2:  hi", Label("agent 2", "", "hi")),
        ("[00:01:02] Ana Gómez: hi", Label("Ana Gómez", "00:01:02", "hi")),
        ("00:12 - Dr. Weiss: hi", Label("Dr. Weiss", "00:12", "hi")),
        ("Customer (01:02): it says: 40", Label("Customer", "01:02", "it says: 40")),
        ("Agent:", Label("Agent", "", "")),
        ("Agent: a\u2028b", Label("Agent", "", "a\u2028b")),
    ],
)
def test_a_label_is_a_speaker_and_perhaps_a_time(line, label):
    assert labelled(line) == label


@pytest.mark.parametrize(
    "line",
    [
        "see https://example.org",
        "we meet at 10:30 then",
        "my answer is: no",
        "Agent says no",
        "one two three four five: six",
        ": x",
        "",
        "a" * 50_000 + ": x",
    ],
)
def test_a_colon_alone_makes_no_speaker(line):
    assert labelled(line) is None


def test_empty_lines_divide_calls_and_lines_without_a_speaker_go_on():
    rows = list(open_rows(FIXTURES / "calls.txt", layout_name="columns"))
    assert calls(rows) == [
        ("1", "Agent", "Good morning,\nhow can I help?"),
        ("1", "Customer", "My bill is wrong: it says 40."),
        ("1", "Agent", "Corrected."),
        ("2", "Customer", "Where is my card?"),
        ("2", "Agent", "In the post."),
    ]
    assert [row.number for row in rows] == [1, 3, 4, 6, 7]
    assert rows[0].columns["time"] == "00:01"


def test_rules_divide_calls_where_there_are_any(read):
    rows = read("a.txt", "---\nAgent: a\n\nCaller: b\n\nmore\n---\n\nAgent: c\n=====\n=====\nCaller: d\n")
    assert calls(rows) == [("1", "Agent", "a"), ("1", "Caller", "b\nmore"), ("2", "Agent", "c"), ("3", "Caller", "d")]


def test_turns_that_all_stand_alone_are_one_call(read):
    assert {call for call, _, _ in calls(read("a.txt", "Agent: a\n\nCaller: b\n\nAgent: c\n\nCaller: d\n"))} == {"1"}


def test_a_speaker_who_says_nothing_is_a_fault():
    first, fault, third, fourth = open_rows(FIXTURES / "calls_broken.txt", layout_name="columns")
    assert fault == RowFault(2, "'Agent' says nothing")
    assert [row.number for row in (first, third, fourth)] == [1, 3, 4]


def test_text_before_the_first_speaker_is_a_fault(read):
    fault, *rows = read("a.txt", "recorded today\nAgent: a\nCaller: b\n")
    assert fault == RowFault(1, "nobody is named as its speaker", "recorded today")
    assert len(rows) == 2


def test_a_turn_of_many_lines_is_limited_as_a_whole(read):
    rows = read("a.txt", "Agent: a\n" + "more\n" * 1000 + "Caller: b\n", "transcript", max_row_bytes=500)
    assert rows[0] == RowFault(1, "longer than 500 bytes (checks.max_row_bytes)")
    assert rows[1].columns["text"] == "b"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Agent: hi\nCustomer: hello\n", True),
        ("Ana: hi\nBo: hello\nAna: how?\nBo: so\n", True),
        ("Ana: hi\nBo: hello\n", False),
        ("Title: Renting\nAuthor: Nobody\nDate: today\n", False),
        ("Agent: hi\n", False),
        ("Agent: hi\nCustomer: yes\n" + "a long text without labels\n" * 5, False),
    ],
)
def test_a_transcript_is_known_by_its_labels(text, is_one):
    assert bool(Transcript().sniff(text.encode())) == is_one


def test_captions_of_one_speaker_are_one_turn():
    rows = list(open_rows(FIXTURES / "call.vtt", layout_name="columns"))
    assert calls(rows) == [
        ("1", "Support Ana", "Good morning & welcome."),
        ("1", "Bo Smith", "My bill is wrong. It says 40."),
        ("1", "Support Ana", "Corrected. Anything else?"),
    ]
    assert [row.number for row in rows] == [7, 11, 18]
    assert rows[1].columns["time"] == "00:00:02.500"


def test_F08_captions_that_are_broken_are_faults_with_their_line():
    rows = list(open_rows(FIXTURES / "call_broken.vtt", layout_name="columns"))
    assert [(row.number, isinstance(row, RowFault)) for row in rows] == [(4, False), (9, True), (13, False)]
    assert "timing" in rows[1].reason


def test_a_line_without_an_arrow_is_no_caption(read):
    assert read("a.vtt", "WEBVTT\n\nid only\n\n00:01.000 --> 00:02.000\nAgent: a\n") == [
        RawRow(6, {"conversation": "1", "speaker": "Agent", "text": "a", "time": "00:01.000"})
    ]


def test_several_voices_in_a_caption_are_several_turns(read):
    rows = read("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Agent>a</v> <v Caller>b</v>\nc\n")
    assert calls(rows) == [("1", "Agent", "a"), ("1", "Caller", "b c")]


def test_captions_without_a_speaker_are_faults(read):
    assert read("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n") == [RowFault(4, "nobody is named as its speaker", "hello")]


@pytest.mark.parametrize("first", ["WEBVTTX", "1", "webvtt"])
def test_a_file_that_does_not_begin_with_its_name_is_refused(read, first):
    with pytest.raises(DataFileError, match="no WebVTT file"):
        read("a.vtt", f"{first}\n\n00:01.000 --> 00:02.000\nAgent: a\n")
