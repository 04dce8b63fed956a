"""One process at one run: two would delete each other's checkpoints, or pay for one job twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from hatrack.core.errors import RunInUse

__all__ = ["only_one"]


@contextlib.contextmanager
def only_one(run: Path) -> Iterator[None]:
    """Hold the run for the block.

    Raises:
        RunInUse: another process is at it.
    """
    lock = FileLock(run.with_name(f".{run.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunInUse(
            "another process is training this very run", given=str(run), fix="wait for it, or stop it; the run then goes on where it was"
        ) from error
    try:
        yield
    finally:
        lock.release()
