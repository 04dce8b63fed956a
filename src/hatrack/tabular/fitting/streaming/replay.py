"""A stream in order: the champion answers first, then everybody learns; drift is flagged, and a better challenger takes over.

ADWIN (Bifet and Gavaldà 2007) watches the champion's squared errors. Where they rise, a fresh challenger begins with the
rows that ADWIN holds to be of the new world. It takes over when its log loss over the last rows that both answered is lower
by more than two standard errors, and is given up when it has not been better for long. The champion serves all the while,
and goes on learning: most alarms are met without a takeover by a learner that forgets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hatrack.core.extras import require
from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.fitting.streaming.base import Learner
from hatrack.tabular.scorers.base import Array

__all__ = ["Drift", "Replay", "log_losses", "replay", "retrained"]

Tick = Callable[[int, int], None]

_LEAST = 1e-6
_PATIENCE = 4  # times ``judged`` rows, after which a challenger that is not better is given up


@dataclass(frozen=True)
class Drift:
    """Drift was flagged at a row (from 0); ``since``: the row from which on the world is held to be another."""

    row: int
    since: int


@dataclass
class Replay:
    """What happened.

    Attributes:
        champion: whoever answers at the end.
        probabilities: [rows] what the champion of the moment answered, before it saw the row's truth.
        drifts: where drift was flagged.
        takeovers: row numbers (from 0) at which a challenger became champion.
        given_up: row numbers at which a challenger was dropped.
        seconds: of learning, all learners together.
    """

    champion: Learner
    probabilities: Array
    drifts: list[Drift] = field(default_factory=list)
    takeovers: list[int] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    seconds: float = 0.0


def replay(
    champion: Learner,
    fresh: Callable[[], Learner],
    stream: Sample,
    *,
    part: int = 100,
    judged: int = 300,
    delta: float = 0.002,
    tick: Tick = lambda done, total: None,
) -> Replay:
    """Run a stream through a champion that has learned already.

    Args:
        fresh: makes a challenger that knows nothing.
        part: rows between two times of learning.
        judged: rows over which champion and challenger are compared.
        delta: ADWIN's confidence; smaller flags later and less often by mistake.
        tick: is told rows done and rows in all.
    """
    found = Replay(champion, np.empty(len(stream.target)))
    watcher = require("river.drift", extra="tables", reason="watching for drift").ADWIN(delta=delta)
    challenger: Learner | None = None
    ours, theirs, answered = np.empty(0), np.empty(0), 0  # losses on the rows that both answered, and how many rows that were
    for rows in _parts(len(stream.target), part):
        now = stream.take(rows)
        answers = found.champion.probabilities(now.matrix)
        found.probabilities[rows] = answers
        flagged = _watch(watcher, rows, (answers - now.target) ** 2)
        found.drifts += flagged
        begin = time.perf_counter()
        if challenger is not None:
            ours = np.append(ours, log_losses(answers, now.target))[-judged:]
            theirs = np.append(theirs, log_losses(challenger.probabilities(now.matrix), now.target))[-judged:]
            answered += len(rows)
            challenger.learn(now)
        found.champion.learn(now)
        if challenger is None and flagged:
            challenger, ours, theirs, answered = fresh(), np.empty(0), np.empty(0), 0
            challenger.learn(stream.take(np.arange(min(flagged[-1].since, int(rows[0])), rows[-1] + 1)))
        elif challenger is not None and len(ours) >= min(judged, 2 * part) and _better(theirs, ours):
            found.champion, challenger = challenger, None
            found.takeovers.append(int(rows[-1]))
        elif challenger is not None and answered >= _PATIENCE * judged:
            challenger = None
            found.given_up.append(int(rows[-1]))
        found.seconds += time.perf_counter() - begin
        tick(int(rows[-1]) + 1, len(stream.target))
    return found


def retrained(
    fresh: Callable[[], Learner], before: Sample, stream: Sample, *, part: int = 100, tick: Tick = lambda done, total: None
) -> Replay:
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
        tick(int(rows[-1]) + 1, len(stream.target))
    return found


def log_losses(probabilities: Array, target: Array) -> Array:
    """[rows] of the truth, in nats; both arguments ``[rows]``."""
    positive = np.clip(probabilities, _LEAST, 1 - _LEAST)
    found: Array = -np.where(target == 1, np.log(positive), np.log(1 - positive))
    return found


def _watch(watcher: Any, rows: np.ndarray, errors: Array) -> list[Drift]:
    """Errors that have become larger; that they become smaller is no reason to begin anew."""
    found = []
    for row, error in zip(rows, errors, strict=True):
        before = watcher.estimation
        watcher.update(float(error))
        if watcher.drift_detected and watcher.estimation > before:
            found.append(Drift(int(row), max(0, int(row) + 1 - int(watcher.width))))
    return found


def _parts(rows: int, part: int) -> Iterator[np.ndarray]:
    for start in range(0, rows, part):
        yield np.arange(start, min(start + part, rows))


def _better(theirs: Array, ours: Array) -> bool:
    gain = ours - theirs
    return bool(gain.mean() > 2 * gain.std() / np.sqrt(len(gain)))


def _joined(a: Sample, b: Sample) -> Sample:
    pairs = ((a.matrix, b.matrix), (a.target, b.target), (a.weight, b.weight))
    matrix, target, weight = (np.concatenate(pair) for pair in pairs)
    return Sample(matrix, target, weight, a.classes, a.monotone, a.seed)
