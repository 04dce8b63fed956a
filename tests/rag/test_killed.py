"""SIGKILL at twenty random moments, of adding and of writing an index: no acknowledged document is lost, the index opens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from knowledge_places import add, knowledge_project, write_rows

SCRIPT = Path(__file__).with_name("killed_ingest.py")
ROWS = [{"id": i, "text": f"stone number {i} lies beside stone {i + 1}"} for i in range(240)]


def killed(root, kind, rounds=20):
    path = write_rows(root / "rows.jsonl", ROWS)
    command = [sys.executable, str(SCRIPT), str(root), str(path), str(rounds), "7", kind]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def test_a_killed_ingest_loses_nothing_that_was_acknowledged(tmp_path):
    seen = killed(knowledge_project(tmp_path), "ingest")
    assert seen["lost"] == []
    assert seen["acknowledged"] > 20 * 60, "the kills came too early to show anything"
    assert seen["end"] == [240, 240, 240]


@pytest.mark.parametrize("store", ["faiss:///.hatrack/kb?graph_from=1"])
def test_a_killed_index_write_leaves_an_index_that_opens(tmp_path, store):
    root = knowledge_project(tmp_path, store=store)
    add(root, write_rows(root / "rows.jsonl", ROWS))
    seen = killed(root, "index")
    assert seen["lost"] == []
    assert seen["searched"] == 20
    assert seen["end"] == [240, 240, 240]
