"""Pools of threads, counted as the system counts threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def compute() -> None:
    torch.ones(2_000_000).exp()


@contextmanager
def two_threads() -> Iterator[None]:
    """With one, as beside other tests, nothing has a pool."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
