"""The log of requests: off unless asked for, without personal data, bounded, and read back by version."""

from __future__ import annotations

import json

import pytest

from hatrack.answering.request_log import RequestLog, read_requests
from hatrack.core.chat import Message
from hatrack.core.config_watch import WatchSettings
from hatrack.serving.request import Finished, Piece

ON = WatchSettings(log_requests=True)


def end(reason="stop"):
    return Finished(reason, 1, 0, 1, 0.0, 0.0, 0.0)


def ask(log, text, answer, *, reason="stop", labels=("red", "blue")):
    heard = []
    listen = log.listening("a", "1.0.0", (Message("user", text),), labels, heard.append)
    for event in (*[Piece(part) for part in answer], end(reason)):
        listen(event)
    return heard


def lines(folder):
    path = folder / "a.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_nothing_is_written_unless_asked_for(tmp_path):
    ask(RequestLog(tmp_path, WatchSettings()), "hello", ["red"])
    assert list(tmp_path.iterdir()) == []


def test_a_question_is_kept_masked_and_an_answer_only_where_it_is_a_label(tmp_path):
    log = RequestLog(tmp_path, ON)
    heard = ask(log, "Which colour has eva.kovacs@example.org?", ["r", "ed"])
    ask(log, "Tell a story", ["Once upon a time"])
    assert [(row["text"], row["label"]) for row in lines(tmp_path)] == [("Which colour has <EMAIL_ADDRESS>?", "red"), ("Tell a story", "")]
    assert len(heard) == 3


def test_an_answer_that_was_cancelled_is_not_kept(tmp_path):
    ask(RequestLog(tmp_path, ON), "hello", ["red"], reason="cancelled")
    assert lines(tmp_path) == []


def test_the_newest_requests_of_a_version_come_back_and_a_cut_line_is_passed_over(tmp_path):
    log = RequestLog(tmp_path, ON)
    log.note("a", "1.0.0", ["one", "two", "three"], ["red"] * 3, [0.9] * 3)
    log.note("a", "2.0.0", ["other"], ["red"], [0.5])
    with (tmp_path / "a.jsonl").open("a") as stream:
        stream.write('{"at": 1, "text"')
    assert [one.text for one in read_requests(tmp_path, "a", "1.0.0", 2)] == ["two", "three"]
    assert read_requests(tmp_path, "a", "3.0.0", 2) == []
    assert read_requests(tmp_path, "../a", "1.0.0", 2) == []


def test_the_file_does_not_grow_beyond_its_limit(tmp_path):
    log = RequestLog(tmp_path, WatchSettings(log_requests=True, log_mb=0.01))
    log.note("a", "1.0.0", [f"{i} " + "x" * 200 for i in range(200)], ["red"] * 200, [0.5] * 200)
    assert (tmp_path / "a.jsonl").stat().st_size <= 10_000
    assert lines(tmp_path)[-1]["text"].startswith("199 ")


def test_a_disk_that_refuses_does_not_stop_an_answer(tmp_path):
    (tmp_path / "requests").write_text("a file is in the way")
    heard = ask(RequestLog(tmp_path / "requests", ON), "hello", ["red"])
    assert len(heard) == 2


@pytest.mark.parametrize("every", ["", "1", "10s", "0.5m", "d", "-1d"])
def test_a_span_that_cannot_be_is_refused(every):
    with pytest.raises(ValueError, match="span"):
        WatchSettings.model_validate({"schedules": [{"job": "drift", "adapter": "a", "every": every}]})
