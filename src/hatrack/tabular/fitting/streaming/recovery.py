"""How many rows a stream took to be answered as well as before the world changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hatrack.tabular.fitting.streaming.replay import Drift
from hatrack.tabular.scorers.base import Array

__all__ = ["WorldChange", "world_changes"]

_WORSE = 1.1  # times the loss before: as well as before, but for noise
_LEVEL = 1000  # rows before the change that say how well it went


@dataclass(frozen=True)
class WorldChange:
    """One change of the world; rows are counted from 0.

    Attributes:
        since: from which row on the world is held to be another.
        flagged: the row at which that was noticed.
        recovered: rows from ``since`` on until the mean loss over a window behind it is within a tenth of what it was;
            None: not within this stream, or there were too few rows before.
    """

    since: int
    flagged: int
    recovered: int | None


def world_changes(drifts: Sequence[Drift], losses: Array, window: int) -> list[WorldChange]:
    """The changes that these flags speak of: flags before the stream has recovered are about the same change.

    Args:
        losses: [rows] log loss of what was answered.
        window: rows over which the loss is averaged.
    """
    found: list[WorldChange] = []
    for drift in drifts:
        if found and (found[-1].recovered is None or drift.row < found[-1].since + found[-1].recovered):
            continue
        found.append(WorldChange(drift.since, drift.row, _recovered(drift.since, losses, window)))
    return found


def _recovered(since: int, losses: Array, window: int) -> int | None:
    if since < window:
        return None
    allowed = _WORSE * float(losses[max(0, since - _LEVEL) : since].mean())
    for end in range(since + window, len(losses) + 1):
        if losses[end - window : end].mean() <= allowed:
            return end - since
    return None
