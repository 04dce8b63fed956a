"""Tokens a second at several crowds, the same for every system: repeats in turns, so that a busy moment hits all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from runs import tell
from workload import CROWD

COUNTS = (1, 8, CROWD)


def speeds(rate: Callable[[str, int, int], float], repeats: int, kinds: tuple[str, ...] = ("base", "mixed")) -> dict[str, float]:
    """Medians. ``rate(kind, count, seed)`` answers ``count`` new requests at once; ``base16`` is sixteen for the base, ``mixed16``
    sixteen, each for another adapter, ``of_base16`` the second by the first of the same repeat, which came right before it."""
    found: dict[str, list[float]] = {}
    for repeat in range(1, repeats + 1):
        for count in COUNTS:
            for kind in kinds:
                found.setdefault(f"{kind}{count}", []).append(rate(kind, count, 100 * repeat + count + (kind == "base")))
        tell(f"{repeat} of {repeats}: " + ", ".join(f"{key} {values[-1]:.1f}" for key, values in found.items()) + " tok/s")
    medians = {key: statistics.median(values) for key, values in found.items()}
    for count in COUNTS if len(kinds) > 1 else ():
        ratios = [mixed / base for base, mixed in zip(found[f"base{count}"], found[f"mixed{count}"], strict=True)]
        medians[f"of_base{count}"] = statistics.median(ratios)
    return medians
