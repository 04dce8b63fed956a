"""OpenMP's pools, counted as the system counts threads."""

from __future__ import annotations

import sys
import threading

import pytest

from hatrack.core.threads import _runtimes, give_back_threads, lent_threads
from thread_pools import compute, threads, two_threads

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")


@pytest.fixture(autouse=True)
def with_two_threads():
    with two_threads():
        yield


def test_a_thread_that_computed_gives_its_pool_back():
    seen = {}

    def work() -> None:
        give_back_threads()
        seen["before"] = threads()
        compute()
        seen["with a pool"] = threads()
        give_back_threads()
        seen["after"] = threads()
        with lent_threads():
            compute()
        seen["lent"] = threads()

    _run(work)
    assert seen["with a pool"] > seen["before"], "or this test would show nothing"
    assert seen["after"] == seen["lent"] == seen["before"]


def test_a_runtime_that_is_mapped_and_gone_is_left_alone(monkeypatch, tmp_path):
    """Whoever computes goes on, whatever the list of the system says."""
    listed = tmp_path / "maps"
    listed.write_text("7f00-7f01 r-xp 00000000 00:00 1 /gone/libgomp.so.1 (deleted)\n7f01-7f02 rw-p 00000000 00:00 0\nlibgomp\n")
    monkeypatch.setattr("hatrack.core.threads._MAPPED", listed)
    for _ in ("gone", "no list"):
        _runtimes.cache_clear()
        give_back_threads()
        assert _runtimes(len(sys.modules)) == []
        listed.unlink(missing_ok=True)
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
