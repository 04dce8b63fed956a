"""Learning curves: would more data help? Said from the difference between all rows and a third of them, with its interval."""

from __future__ import annotations

import numpy as np

from hatrack.core.lineage import Score
from hatrack.evaluation.metrics.base import Answers, Metric
from hatrack.evaluation.statistics import bca_interval
from hatrack.workflows.bakeoff.record import Curve, Point

__all__ = ["SHARES", "curve_of"]

SHARES = (0.1, 0.3)  # and all of them, which is measured anyway


def curve_of(approach: str, metric: Metric, points: list[tuple[int, Answers]], confidence: float, seed: int) -> Curve:
    """The curve through ``(training rows, answers)``, fewest rows first."""
    rows = [metric.rows(answers) for _, answers in points]
    shown = tuple(
        Point(rows=count, score=Score(value=metric.total(found), interval=bca_interval(metric.total, found, confidence, seed)))
        for (count, _), found in zip(points, rows, strict=True)
    )
    width, both = rows[-1].shape[1], np.hstack([rows[-1], rows[-2]])

    def gain(chosen: np.ndarray) -> float:
        change = metric.total(chosen[:, :width]) - metric.total(chosen[:, width:])
        return change if metric.higher_is_better else -change

    interval = bca_interval(gain, both, confidence, seed)
    change = f"{gain(both):+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"
    step = f"from {shown[-2].rows:,} to {shown[-1].rows:,} rows the score changes by {change}"
    if interval.low > 0:
        verdict = f"more data would probably help: {step}"
    elif interval.high < 0:
        verdict = f"more of this data did harm: {step}; look at the rows with `hatrack check`"
    else:
        verdict = f"more data would help little, or too few test rows were asked to see it: {step}"
    return Curve(approach=approach, points=shown, gain=gain(both), interval=interval, verdict=verdict)
