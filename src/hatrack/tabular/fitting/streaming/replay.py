"""A stream in order: the champion answers first, then everybody learns; drift is flagged, and a better challenger takes over.

ADWIN (Bifet and Gavaldà 2007) watches the champion's errors. When it flags drift, a fresh challenger begins with the rows
that ADWIN holds to be of the new world. It takes over when its log loss over the last rows that both answered is lower by
more than two standard errors. The champion serves all the while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from hatrack.core.extras import require
from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.fitting.streaming.base import Learner
from hatrack.tabular.scorers.base import Array

__all__ = ["Replay", "replay", "retrained"]

_LEAST = 1e-6


@dataclass
class Replay:
    """What happened.

    Attributes:
        probabilities: [rows] what the champion of the moment answered, before it saw the row's truth.
        drifts: row numbers (from 0) at which drift was flagged.
        takeovers: row numbers at which a challenger became champion.
        seconds: of learning, all learners together.
    """

    champion: Learner
    probabilities: Array
    drifts: list[int] = field(default_factory=list)
    takeovers: list[int] = field(default_factory=list)
    seconds: float = 0.0


def replay(
    champion: Learner, fresh: Callable[[], Learner], stream: Sample, *, part: int = 100, judged: int = 300, delta: float = 0.002
) -> Replay:
    """Run a stream through a champion that has learned already.

    Args:
        fresh: makes a challenger that knows nothing.
        part: rows between two times of learning.
        judged: rows over which champion and challenger are compared.
        delta: ADWIN's confidence; smaller flags later and less often by mistake.
    """
    found = Replay(champion, np.empty(len(stream.target)))
    watcher = require("river.drift", extra="tables", reason="watching for drift").ADWIN(delta=delta)
    challenger: Learner | None = None
    ours, theirs = np.empty(0), np.empty(0)  # losses on the rows that both answered
    for rows in _parts(len(stream.target), part):
        now = stream.take(rows)
        answers = found.champion.probabilities(now.matrix)
        found.probabilities[rows] = answers
        flagged = False
        for row, wrong in zip(rows, (answers >= 0.5) != (now.target == 1), strict=True):
            watcher.update(float(wrong))
            if watcher.drift_detected and watcher.estimation > 0:
                found.drifts.append(int(row))
                flagged = True
        begin = time.perf_counter()
        if challenger is not None:
            ours = np.append(ours, _loss(answers, now.target))[-judged:]
            theirs = np.append(theirs, _loss(challenger.probabilities(now.matrix), now.target))[-judged:]
            challenger.learn(now)
        if flagged and challenger is None:
            challenger, ours, theirs = fresh(), np.empty(0), np.empty(0)
            since = max(0, int(rows[-1]) + 1 - int(watcher.width))
            challenger.learn(stream.take(np.arange(since, rows[-1] + 1)))
        elif challenger is not None and len(ours) >= min(judged, 2 * part) and _better(theirs, ours):
            found.champion, challenger = challenger, None
            found.takeovers.append(int(rows[-1]))
        elif challenger is None:
            found.champion.learn(now)
        found.seconds += time.perf_counter() - begin
    return found


def retrained(fresh: Callable[[], Learner], before: Sample, stream: Sample, *, part: int = 100) -> Replay:
    """The same stream, with a model trained anew on everything so far behind each part: what incremental learning saves."""
    whole = _joined(before, stream)
    model = fresh()
    model.learn(before)
    found = Replay(model, np.empty(len(stream.target)))
    for rows in _parts(len(stream.target), part):
        found.probabilities[rows] = found.champion.probabilities(stream.matrix[rows])
        begin = time.perf_counter()
        found.champion = fresh()
        found.champion.learn(whole.take(np.arange(len(before.target) + rows[-1] + 1)))
        found.seconds += time.perf_counter() - begin
    return found


def _parts(rows: int, part: int) -> Iterator[np.ndarray]:
    for start in range(0, rows, part):
        yield np.arange(start, min(start + part, rows))


def _loss(probabilities: Array, target: Array) -> Array:
    positive = np.clip(probabilities, _LEAST, 1 - _LEAST)
    found: Array = -np.where(target == 1, np.log(positive), np.log(1 - positive))
    return found


def _better(theirs: Array, ours: Array) -> bool:
    gain = ours - theirs
    return bool(gain.mean() > 2 * gain.std() / np.sqrt(len(gain)))


def _joined(a: Sample, b: Sample) -> Sample:
    pairs = ((a.matrix, b.matrix), (a.target, b.target), (a.weight, b.weight))
    matrix, target, weight = (np.concatenate(pair) for pair in pairs)
    return Sample(matrix, target, weight, a.classes, a.monotone, a.seed)
