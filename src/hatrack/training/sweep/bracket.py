"""Successive halving as a fixed bracket (Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943).

    rung 1   o o o o o o o o o o o o    each trained for 1/9 of the epochs
    rung 2   o o o o                    the best third, for 1/3
    rung 3   o o                        the best third of those, for all of them; the better one is chosen

All of a rung are trained equally long, each with its whole schedule from warmup to the end, and only then compared. An
asynchronous pruner would compare with those that happened to come before, which on one machine is luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hatrack.core.config_sweep import SweepSpace

__all__ = ["Rung", "bracket"]

_LEAST_STEPS = 10  # a score after fewer optimizer steps says more of the start than of the settings


@dataclass(frozen=True)
class Rung:
    """One rung: ``places`` settings, each trained for ``share`` of the epochs; ``number`` counts from 1 to ``of``."""

    number: int
    of: int
    places: int
    share: float


def bracket(space: SweepSpace, trials: int, steps: Callable[[float], int]) -> tuple[Rung, ...]:
    """The rungs for so many settings; the last trains in full.

    Args:
        steps: optimizer steps of a training of so large a share. Rungs that would take fewer than ten are left out.
    """
    shares = [space.keep ** -(space.rungs - 1 - number) for number in range(space.rungs)]
    kept = [share for share in shares if share == 1 or steps(share) >= _LEAST_STEPS]
    return tuple(
        Rung(number + 1, len(kept), max(1, math.ceil(trials / space.keep**number)), float(share)) for number, share in enumerate(kept)
    )
