"""How well each system answered a stream: figures with intervals, and the paired difference to the version as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hatrack.core.lineage import Comparison, Score
from hatrack.evaluation.delong import auc_difference, auc_interval
from hatrack.evaluation.statistics import bca_interval
from hatrack.tabular.fitting.streaming.replay import log_losses
from hatrack.tabular.scorers.base import Array

__all__ = ["StreamFigures", "stream_figures"]


@dataclass(frozen=True)
class StreamFigures:
    """One system on all rows of the stream. ``gains``: minus the first system, on the same rows; empty for the first.

    Intervals take rows as independent, which those of a stream are only roughly.
    """

    name: str
    auc: Score
    log_loss: Score
    seconds: float
    gains: tuple[Comparison, ...]


def stream_figures(systems: Sequence[tuple[str, Array, float]], truth: Array, confidence: float, seed: int) -> list[StreamFigures]:
    """Figures of ``(name, probabilities [rows], seconds of learning)``."""
    found = []
    first_name, first, _ = systems[0]
    for name, answers, seconds in systems:
        auc, interval = auc_interval(truth, answers, confidence)
        losses = log_losses(answers, truth)[:, None]
        loss = Score(value=_mean(losses), interval=bca_interval(_mean, losses, confidence, seed))
        gains: tuple[Comparison, ...] = ()
        if name != first_name:
            gap, gap_interval = auc_difference(truth, answers, first, confidence)
            more = losses - log_losses(first, truth)[:, None]
            gains = (
                Comparison(metric="roc_auc", base=first_name, difference=gap, interval=gap_interval),
                Comparison(
                    metric="log_loss",
                    base=first_name,
                    difference=_mean(more),
                    interval=bca_interval(_mean, more, confidence, seed),
                    higher_is_better=False,
                ),
            )
        found.append(StreamFigures(name, Score(value=auc, interval=interval), loss, seconds, gains))
    return found


def _mean(rows: Array) -> float:
    return float(np.mean(rows[:, 0]))
