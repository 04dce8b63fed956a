"""What a file is, and the evidence in words."""

from __future__ import annotations

import pytest

from hatrack.core.errors import DataFileError
from hatrack.data.detect import detect
from made_files import FIXTURES


@pytest.mark.parametrize(
    ("file", "format_name", "layout", "reason"),
    [
        ("alpaca.json", "json", "alpaca", "ends in .json and begins with [; columns instruction, input, output: the Alpaca layout"),
        (
            "rows.json",
            "json",
            "columns",
            'ends in .json and holds an array under "data"; columns id, text, label: no layout of another name',
        ),
        (
            "chat.jsonl",
            "jsonl",
            "chat",
            "ends in .jsonl and has an object on each line; a column of messages with role and content: the chat layout",
        ),
        ("calls.txt", "transcript", "transcript", "ends in .txt and its lines are labelled Agent: and Customer:"),
        ("calls.csv", "csv", "transcript", "ends in .csv; columns call_id, speaker, text: transcripts; Agent is taken as the assistant"),
        ("call.vtt", "webvtt", "transcript", "ends in .vtt and begins with WEBVTT"),
        ("guide.txt", "text", "document", "ends in .txt; columns title, text, sections: documents"),
    ],
)
def test_the_reason_names_the_evidence(file, format_name, layout, reason):
    guess = detect(FIXTURES / file)
    assert (guess.format, guess.layout) == (format_name, layout)
    assert guess.reason.startswith(reason)


def test_what_is_asked_for_is_taken_and_said():
    guess = detect(FIXTURES / "alpaca.json", "json", "columns")
    assert guess.reason == "is asked for as json and begins with [; the columns layout, as asked for"
    assert guess.layout == "columns"


def test_a_folder_is_said_to_be_one(tmp_path):
    for name in ("guide.md", "guide.html"):
        (tmp_path / name).write_bytes((FIXTURES / name).read_bytes())
    guess = detect(tmp_path)
    assert (guess.format, guess.layout) == ("auto", "document")
    assert guess.reason.startswith("a folder of 2 files: html, markdown; ")
    assert detect(tmp_path, "html").format == "html"


def test_a_file_whose_ending_lies_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"PK\x03\x04" + b"x" * 100)
    with pytest.raises(DataFileError, match="not what its ending says"):
        detect(tmp_path / "a.csv")
