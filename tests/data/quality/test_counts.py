"""Rows that were left out, by reason."""

import json

from hatrack.data.quality.counts import rejection_reasons


def write(path, reasons):
    path.write_text("".join(json.dumps({"file": "a", "row": i, "reason": reason}) + "\n" for i, reason in enumerate(reasons)))
    return path


def test_reasons_that_differ_in_particulars_are_one(tmp_path):
    path = write(
        tmp_path / "rejects.jsonl",
        [
            "column 'text' is empty",
            "not UTF-8: byte 0xe9 at position 13",
            "not UTF-8: byte 0xff at position 1,024",
            "longer than 1,000,000 bytes",
        ],
    )
    assert rejection_reasons(path) == {
        "not UTF-8: byte … at position …": 2,
        "column … is empty": 1,
        "longer than … bytes": 1,
    }


def test_no_reject_file_is_no_reason(tmp_path):
    assert rejection_reasons(tmp_path / "none.jsonl") == {}
