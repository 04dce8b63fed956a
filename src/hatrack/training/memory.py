"""Memory of this process and what is left of the machine, in bytes."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["available_memory", "forget_peak", "peak_memory", "settled_heap", "used_memory"]

_PROCESS = Path("/proc/self")
_GROUPS = Path("/sys/fs/cgroup")


def used_memory() -> int:
    """Resident memory now."""
    return _status("VmRSS") or peak_memory()


def peak_memory() -> int:
    """Largest resident memory since ``forget_peak``, or, where the system cannot forget, since the start."""
    unit = 1 if sys.platform == "darwin" else 1024
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak() -> None:
    """Give freed memory back to the system and measure the peak from here on."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        (_PROCESS / "clear_refs").write_text("5")


@contextlib.contextmanager
def settled_heap() -> Iterator[None]:
    """Inside the block the garbage collector leaves alone what was there before.

    A million objects of imported libraries, none of them garbage, take it a third of a second each time; training
    collects whenever memory is measured, and now and then by itself. Where somebody has done so before, as a server
    does at its start, what lies still goes on lying still afterwards.
    """
    gc.collect()
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def available_memory() -> int:
    """How much more this process may take: free memory of the machine, of its control group, and of its own limit."""
    left = [_of_machine(), *_of_groups()]
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        left.append(limit - _status("VmSize"))
    return max(0, min(left))


def _status(key: str) -> int:
    return _field(_PROCESS / "status", key) * 1024


def _of_machine() -> int:
    return _field(Path("/proc/meminfo"), "MemAvailable") * 1024 or sys.maxsize


def _of_groups() -> list[int]:
    """Version 2 and version 1 of control groups; file pages that nobody uses count as free."""
    left = []
    for folder, most, now, idle in (
        (_GROUPS, "memory.max", "memory.current", "inactive_file"),
        (_GROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):  # no such group, or "max"
            limit, usage = (int((folder / name).read_text()) for name in (most, now))
            left.append(limit - usage + _field(folder / "memory.stat", idle))
    return left


def _field(path: Path, key: str) -> int:
    """The number behind a key in a file of ``key value`` lines; 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            name, *rest = line.replace(":", " ").split()
            if name == key and rest:
                return int(rest[0])
    return 0
