"""200,000 rows are split and checked without being held: the peak of a process of its own is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import random, sys
from pathlib import Path
from hatrack.core.chat import Message
from hatrack.core.config import AdapterConfig
from hatrack.data.consistency import check_conflicts, check_labels, remove_leaks
from hatrack.data.duplicates.clusters import clusters
from hatrack.data.records import Example, Splits
from hatrack.data.split import split_examples
from hatrack.data.spool import Spool, SpoolWriter

def peak():  # of this process alone: ru_maxrss begins with what the parent held when it forked
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024

rng = random.Random(1)
vocabulary = ["".join(rng.choices("abcdefghij", k=6)) for _ in range(5000)]
answer = "word " * 100
clusters([" ".join(vocabulary)] * 2, 0.9)  # what is imported and tabulated once
before = peak()
with SpoolWriter.open(Path(sys.argv[1])) as spool:
    for row in range(1, 200_001):
        text = " ".join(rng.choices(vocabulary, k=16))
        spool.append(Example(row, str(row), text, "abcd"[row % 4], (Message("user", text), Message("assistant", answer)), f"g{row // 2}"))
splits = Splits(*split_examples(Spool.open(Path(sys.argv[1])), (0.8, 0.1, 0.1), 13, 0.9))
splits = remove_leaks(splits, "refuse", [])
splits, _ = check_labels(splits, AdapterConfig.model_validate({"data": "x", "task": "classify"}), [])
check_conflicts(splits, 0.0, [])
print([*(len(part) for _, part in splits.items()), peak() - before])
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak is read from /proc")
def test_200_000_rows_are_prepared_in_the_memory_of_their_arrays(tmp_path):
    ran = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "rows")], capture_output=True, text=True, check=True)
    *sizes, megabytes = json.loads(ran.stdout)
    assert sizes == [160_000, 20_000, 20_000]
    assert megabytes < 130  # 57 where this was written; 326 when the rows are held
