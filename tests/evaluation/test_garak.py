"""Reports of garak come home as counts, without the prompts and answers that they hold."""

from __future__ import annotations

import json

import pytest

from hatrack.core.errors import EvaluationError
from hatrack.evaluation.garak import read_garak

LINES = [
    {"entry_type": "start_run setup", "_config.version": "0.17.1"},
    {"entry_type": "init", "garak_version": "0.17.1"},
    {"entry_type": "attempt", "prompt": "a secret prompt", "outputs": ["a secret answer"]},
    {"entry_type": "eval", "probe": "promptinject.HijackHateHumans", "detector": "d.A", "passed": 8, "fails": 2, "total_evaluated": 10},
    {"entry_type": "eval", "probe": "encoding.InjectBase64", "detector": "d.B", "passed": 5, "total": 5},
    {"entry_type": "eval", "probe": "dan.Dan_11_0", "detector": "d.C", "passed": 0, "total_evaluated": 0},
    {"entry_type": "completion", "end_time": "2026-01-01"},
]


def written(tmp_path, lines):
    path = tmp_path / "x.report.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_each_probe_and_detector_is_a_group_with_its_interval(tmp_path):
    report = read_garak(written(tmp_path, LINES), "model")
    assert [(group.name, group.score, group.items) for group in report.groups] == [
        ("garak promptinject.HijackHateHumans", 0.8, 10),
        ("garak encoding.InjectBase64", 1.0, 5),
    ]
    assert report.groups[0].interval.low == pytest.approx(0.490, abs=0.001)  # Wilson, 8 of 10
    assert report.skipped == ()
    assert "secret" not in report.model_dump_json()


def test_a_run_that_was_not_finished_says_so(tmp_path):
    assert "not finished" in read_garak(written(tmp_path, LINES[:-1]), "model").skipped[0]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        LINES[:3],
        [{"entry_type": "eval", "probe": "x", "detector": "y", "passed": 3, "total_evaluated": 2}],
        [{"entry_type": "eval"}],
        [[1]],
    ],
)
def test_a_file_that_is_no_such_report_is_refused(tmp_path, lines):
    with pytest.raises(EvaluationError, match="garak"):
        read_garak(written(tmp_path, lines), "model")


def test_the_command_shows_it_and_the_exit_code_follows_from_least(tmp_path, hatrack):
    path = written(tmp_path, LINES)
    assert hatrack("redteam", "--garak-report", str(path)).code == 0
    ran = hatrack("redteam", "--garak-report", str(path), "--least", "0.9")
    assert ran.code == 1
    assert "promptinject.HijackHateHumans: below 90%" in ran.out
