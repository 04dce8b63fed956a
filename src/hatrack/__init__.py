"""Hatrack: one base model, many hats."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hatrack.answering.assistant import Assistant

__all__ = ["Assistant", "__version__"]

__version__ = "0.1.0"

# Read by GNU's OpenMP when it is loaded, with torch: how long a thread that waits keeps its core. By default that is milliseconds, and
# where another process computes too, an answer of a tenth of a second took half a minute. (Training waits longer: hatrack.core.threads.)
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# Read by oneDNN, and by torch's layer above it, at the first product: how many compiled products each of them keeps. One is for one
# number of rows and has memory of its own. By default a thousand are kept, and training without padding, where hardly two batches
# have as many rows, grew by 0.3 to 1 GB that no dry step shows (docs/fast.md).
for _kept in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
    os.environ.setdefault(_kept, "128")


def __getattr__(name: str) -> Any:
    # torch is loaded when an Assistant is asked for, not by `import hatrack`
    if name == "Assistant":
        from hatrack.answering.assistant import Assistant

        return Assistant
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
