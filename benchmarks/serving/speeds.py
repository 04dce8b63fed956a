"""Tokens a second at several crowds, the same for every system: repeats in turns, so that a busy moment hits all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from runs import tell
from workload import CROWD

COUNTS = (1, 8, CROWD)


def speeds(rate: Callable[[str, int, int], float], repeats: int, kinds: tuple[str, ...] = ("base", "mixed")) -> dict[str, float]:
    """Medians. ``rate(kind, count, seed)`` answers ``count`` new requests at once; ``base16`` is sixteen for the base, ``mixed16``
    sixteen, each for another adapter."""
    found: dict[str, list[float]] = {}
    for repeat in range(1, repeats + 1):
        for kind in kinds:
            for count in COUNTS:
                found.setdefault(f"{kind}{count}", []).append(rate(kind, count, 100 * repeat + count + (kind == "base")))
        tell(f"{repeat} of {repeats}: " + ", ".join(f"{key} {values[-1]:.1f}" for key, values in found.items()) + " tok/s")
    return {key: statistics.median(values) for key, values in found.items()}
