"""The example of fraud: its data is what its page says, and one command runs it from data to the table of figures."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "fraud"


@pytest.fixture(scope="module")
def make_data():
    spec = importlib.util.spec_from_file_location("make_data", EXAMPLE / "make_data.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_seed_makes_the_same_files_and_another_one_others(make_data, tmp_path):
    made = []
    for place, seed in (("a", 7), ("b", 7), ("c", 8)):
        make_data.write(tmp_path / place, payment_rows=300, reply_rows=200, seed=seed)
        made.append([(tmp_path / place / name).read_bytes() for name in ("payments.csv", "replies.jsonl")])
    assert made[0] == made[1]
    assert made[0][0] != made[2][0]
    assert made[0][1] != made[2][1]


def test_replies_say_as_much_as_the_numbers_at_the_top_say(make_data):
    rows = make_data.payments(6000, 1)
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    for truth in ("fraud", "honest"):
        mine = [row for row in rows if row["truth"] == truth]
        assert len(mine) > 100
        silent = sum(not row["message"] for row in mine) / len(mine)
        assert silent == pytest.approx(make_data.KINDS[truth][""], abs=0.06)
    assert 0.01 < Counter(row["truth"] for row in rows)["fraud"] / 6000 < 0.2


def test_no_reply_of_a_payment_trains_the_adapter(make_data, tmp_path):
    make_data.write(tmp_path, payment_rows=800, reply_rows=600, seed=7)
    with (tmp_path / "payments.csv").open() as stream:
        asked = {make_data.alone(row["message"]) for row in csv.DictReader(stream)}
    trained = [make_data.alone(json.loads(line)["text"]) for line in (tmp_path / "replies.jsonl").read_text().splitlines()]
    assert len(trained) > 500
    assert not asked & set(trained)


def test_one_command_runs_it_end_to_end(tiny_encoder, tmp_path):
    small = ["--payments", "900", "--replies", "200", "--base", str(tiny_encoder)]
    ran = subprocess.run(
        [sys.executable, str(EXAMPLE / "run.py"), "--folder", str(tmp_path / "made"), *small],
        capture_output=True, text=True, check=False, env={**os.environ, "HATRACK_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    for words in (
        "payments alone",
        "read by the adapter",
        "by their words",
        "payments and replies (adapter)",
        "both minus this",
        "synthetic",
    ):
        assert words in ran.stdout
    assert ran.stdout.count(" to ") >= 4 * 2 + 3 * 2  # an interval beside every figure and every difference
    assert "$ hatrack train reply" in ran.stderr
