"""Products are compiled for each number of rows; only the last few are kept, else memory grows with every batch (F16)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hatrack.training.fast.products import available

KEYS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
BATCHES = """
import hatrack, torch
from hatrack.training.fast.products import by_onednn
from hatrack.training.memory import forget_peak, used_memory

weight = torch.randn(1536, 576)
by_onednn(torch.randn(1, 576), weight)
forget_peak()
before = used_memory()
for rows in range(100, 700):
    by_onednn(torch.randn(rows, 576), weight)
forget_peak()
print((used_memory() - before) / 1e6)
"""


def told(code: str, **given: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key not in KEYS} | given
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not available(), reason="this torch has no oneDNN")
def test_F16_batches_of_many_lengths_leave_no_memory_behind():
    every = float(told(BATCHES, **dict.fromkeys(KEYS, "1024")))
    if every < 60:
        pytest.skip(f"600 compiled products take {every:.0f} MB on this processor: nothing to tell")
    assert float(told(BATCHES)) < every / 3


@pytest.mark.parametrize("key", KEYS)
def test_what_the_user_says_of_kept_products_is_left(key):
    code = f"import hatrack, os; print(os.environ['{key}'])"
    assert told(code) == "128"
    assert told(code, **{key: "7"}) == "7"
