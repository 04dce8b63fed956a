"""OpenMP's pools, counted as the system counts threads."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
import torch

from hatrack.core.threads import _runtimes, give_back_threads, lent_threads

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")


@pytest.fixture(autouse=True)
def two_threads():
    """With one, as beside other tests, nothing has a pool."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _compute() -> None:
    torch.ones(2_000_000).exp()


def test_a_thread_that_computed_gives_its_pool_back():
    seen = {}

    def work() -> None:
        give_back_threads()
        seen["before"] = _threads()
        _compute()
        seen["with a pool"] = _threads()
        give_back_threads()
        seen["after"] = _threads()
        with lent_threads():
            _compute()
        seen["lent"] = _threads()

    _run(work)
    assert seen["with a pool"] > seen["before"], "or this test would show nothing"
    assert seen["after"] == seen["lent"] == seen["before"]


def test_a_runtime_that_is_mapped_and_gone_is_left_alone(monkeypatch, tmp_path):
    """Whoever computes goes on, whatever the list of the system says."""
    listed = tmp_path / "maps"
    listed.write_text("7f00-7f01 r-xp 00000000 00:00 1 /gone/libgomp.so.1 (deleted)\n7f01-7f02 rw-p 00000000 00:00 0\nlibgomp\n")
    monkeypatch.setattr("hatrack.core.threads._MAPPED", listed)
    _runtimes.cache_clear()
    give_back_threads()
    listed.unlink()
    _runtimes.cache_clear()
    give_back_threads()
    _runtimes.cache_clear()


def _run(work) -> None:
    errors = []

    def noted() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=noted)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
