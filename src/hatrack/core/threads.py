"""Threads that compute: each thread that starts a parallel loop gets a pool of its own from OpenMP, which keeps it.

Where all pools together have more threads than the machine has cores, GNU's OpenMP sends threads to sleep at every barrier
instead of letting them wait some microseconds. A decoding step has hundreds of barriers: with a second, idle pool in the
process it took 40 ms in place of 7. So whoever has computed and now waits gives its pool back; the next loop makes another.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

__all__ = ["give_back_threads", "lent_threads", "wait_for_the_next_loop"]

_MAPPED = Path("/proc/self/maps")
_SOFT = 1  # omp_pause_soft: what was set stays set (OpenMP 5.0, section 3.2.43)


def give_back_threads() -> None:
    """End the pools of the thread that calls. Not to be called within a parallel loop."""
    for runtime in _runtimes(len(sys.modules)):
        runtime.omp_pause_resource_all(_SOFT)


def wait_for_the_next_loop() -> None:
    """Let threads keep their core for a tenth of a millisecond: for a process that trains, before torch is imported.

    Between the products of a step Python needs some 50 microseconds. With the 1,000 turns that ``import hatrack`` sets, made for a
    server that has neighbours, threads fall asleep there, and a step takes 4 to 6 % longer. What a user has set is left.
    """
    if os.environ.get("GOMP_SPINCOUNT") == "1000":
        os.environ["GOMP_SPINCOUNT"] = "5000"


@contextmanager
def lent_threads() -> Iterator[None]:
    """What is computed in this block leaves no pool behind."""
    try:
        yield
    finally:
        give_back_threads()


@lru_cache(maxsize=1)
def _runtimes(modules: int) -> list[ctypes.CDLL]:
    """GNU's runtimes in this process, of which each package may bring its own; looked for again when modules were added.

    Read from the system's list of what is mapped: asking the loader (as threadpoolctl does) holds its lock while Python's is waited
    for, and a thread that imports something meanwhile holds the one and waits for the other.
    """
    try:
        lines = _MAPPED.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []  # not Linux, where no pool of this kind is known
    paths = {line.split(maxsplit=5)[5] for line in lines if "gomp" in line.rpartition("/")[2] and len(line.split(maxsplit=5)) == 6}
    found = []
    for path in sorted(paths):
        with suppress(OSError):  # mapped, and not known to the loader by this name any more
            library = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
            if hasattr(library, "omp_pause_resource_all"):
                found.append(library)
    return found
