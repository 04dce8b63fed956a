"""Threads that compute: each thread that starts a parallel loop gets a pool of its own from OpenMP, which keeps it.

Where all pools together have more threads than the machine has cores, GNU's OpenMP sends threads to sleep at every barrier
instead of letting them wait some microseconds. A decoding step has hundreds of barriers: with a second, idle pool in the
process it took 40 ms in place of 7. So whoever has computed and now waits gives its pool back; the next loop makes another,
in a tenth of a millisecond.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

__all__ = ["give_back_threads", "lent_threads"]

_SOFT = 1  # omp_pause_soft: what was set stays set (OpenMP 5.0, section 3.2.43)


def give_back_threads() -> None:
    """End the pools of the thread that calls. Not to be called within a parallel loop."""
    for runtime in _runtimes(len(sys.modules)):
        runtime.omp_pause_resource_all(_SOFT)


@contextmanager
def lent_threads() -> Iterator[None]:
    """What is computed in this block leaves no pool behind."""
    try:
        yield
    finally:
        give_back_threads()


@lru_cache(maxsize=1)
def _runtimes(modules: int) -> list[Any]:
    """GNU's runtimes in this process, of which each package may bring its own; looked for again when modules were added."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # it has no types

    found = [library for library in ThreadpoolController().lib_controllers if library.internal_api == "openmp"]
    return [
        library.dynlib
        for library in found
        if "gomp" in library.filepath.rpartition("/")[2] and hasattr(library.dynlib, "omp_pause_resource_all")
    ]
