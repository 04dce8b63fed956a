"""Compiled loops of the decoder: norm, attention over KV blocks, activation, adapters.

Each token is computed alone and in one order, whatever runs beside it, so that an answer does not depend on its
neighbours (F25). Numba and torch share one pool of threads (threading layer ``omp``): two pools wait for each other.
What was compiled is kept in the cache folder, so only the first start pays for it: by the source of all kernels together, since
Numba looks at the file of a function alone, and would go on with what it took in from another one before that was changed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatrack.core.extras import require
from hatrack.core.project import cache_home

__all__ = ["compiled", "prange", "threads"]

_SOURCE = b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_home() / "kernels" / hashlib.sha256(_SOURCE).hexdigest()[:12]))
os.environ.setdefault("NUMBA_THREADING_LAYER", "omp")
_numba: Any = require("numba", extra="serve", reason="the decoder")
_FAST = {"reassoc", "contract", "arcp", "nsz"}  # sums may be vectorised; NaN and infinity keep their meaning

prange: Any = _numba.prange
threads: Any = _numba.get_num_threads  # that share a prange


def compiled(*, parallel: bool, exact: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A loop over numpy arrays as machine code; ``parallel`` shares its ``prange`` among the threads.

    ``exact``: each operation as it stands, in the order in which it stands. Numba's leave to do otherwise covers instructions that
    are written by hand, too, and then may round one row of a tile in another way than its neighbour.
    """
    return _numba.njit(parallel=parallel, fastmath=False if exact else _FAST, cache=True)  # type: ignore[no-any-return]  # numba is untyped
