"""When it changed: ADWIN (Bifet and Gavaldà 2007) over requests in the order in which they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hatrack.core.extras import require

__all__ = ["ChangePoint", "change_points"]


@dataclass(frozen=True)
class ChangePoint:
    """After about so many values the mean was another."""

    what: str
    at: int
    before: float
    after: float


def change_points(what: str, values: Sequence[float], delta: float = 0.002) -> list[ChangePoint]:
    """Where the mean of ``values`` changed; ``delta`` bounds the chance of a false alarm at each value.

    ADWIN says that it changed; when, is where one step fits the values since the last change best.

    Raises:
        MissingExtra: river is not installed.
    """
    river = require("river.drift", extra="drift", reason="finding when a stream changed")
    detector, start = river.ADWIN(delta=delta, clock=8), 0
    found = []
    for number, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            recent = np.array(values[start : number + 1], float)
            step = _best_step(recent)
            found.append(ChangePoint(what, start + step, float(recent[:step].mean()), float(recent[step:].mean())))
            detector, start = river.ADWIN(delta=delta, clock=8), start + step
            for known in recent[step:]:
                detector.update(known)
    return found


def _best_step(values: NDArray[np.float64]) -> int:
    """The place before which and after which the means explain most of the variance."""
    n = np.arange(1, len(values))
    sums = values.cumsum()[:-1]
    gain = (sums - n * values.mean()) ** 2 / (n * (len(values) - n))
    return int(gain.argmax()) + 1
