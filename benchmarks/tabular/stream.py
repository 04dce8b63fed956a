"""A stream with a planted shift: when it is flagged, how many rows the champion needs to recover, what retraining would cost."""

from __future__ import annotations

import numpy as np

from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.fitting.streaming.base import LEARNERS
from hatrack.tabular.fitting.streaming.replay import replay, retrained

BEFORE, SHIFT, AFTER = 1500, 2000, 3000  # rows to begin with, of the old world on the stream, and of the new one
WINDOW = 300
NEAR = 0.03  # recovered: accuracy over WINDOW rows is this near to what it was before the shift


def world(rows: int, seed: int, *, new: bool) -> Sample:
    """Two numbers and a coin that says nothing; in the new world the first number counts the other way round."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, 4))
    sign = -1 if new else 1
    margin = 2.5 * sign * matrix[:, 0] + 1.5 * matrix[:, 1]
    target = (rng.random(rows) < 1 / (1 + np.exp(-margin))).astype(float)
    return Sample(matrix, target, np.ones(rows), 2, np.zeros(4, np.int64), seed)


def planted_stream(seed: int) -> tuple[Sample, Sample]:
    """Rows to begin with, and the stream: the world changes at row ``SHIFT``."""
    old, new = world(SHIFT, seed + 1, new=False), world(AFTER, seed + 2, new=True)
    pairs = ((old.matrix, new.matrix), (old.target, new.target), (old.weight, new.weight))
    return world(BEFORE, seed, new=False), Sample(*(np.concatenate(pair) for pair in pairs), 2, old.monotone, seed)


def recovered_after(probabilities: np.ndarray, target: np.ndarray) -> int:
    """Rows behind the shift until the accuracy over the last ``WINDOW`` rows is back; all of them if it never is."""
    right = ((probabilities >= 0.5) == (target == 1)).astype(float)
    level = right[:SHIFT].mean() - NEAR
    for end in range(SHIFT + WINDOW, len(right) + 1):
        if right[end - WINDOW : end].mean() >= level:
            return end - SHIFT
    return len(right) - SHIFT


def stream_claims() -> dict[str, float]:
    """Figures for every learner, and for full retraining and no learning at all."""
    before, stream = planted_stream(7)
    claims: dict[str, float] = {"stream_shift_at": SHIFT}
    for name in LEARNERS.names():
        champion, frozen = LEARNERS.get(name)(), LEARNERS.get(name)()
        champion.learn(before)
        frozen.learn(before)
        found = replay(champion, LEARNERS.get(name), stream)
        key = f"stream_{name.replace('-', '_')}"
        late = slice(SHIFT + 1000, None)
        claims[f"{key}_false_flags"] = sum(drift.row < SHIFT for drift in found.drifts)
        claims[f"{key}_flagged_after"] = min((one.row - SHIFT for one in found.drifts if one.row >= SHIFT), default=-1)
        claims[f"{key}_recovered_after"] = recovered_after(found.probabilities, stream.target)
        claims[f"{key}_late_accuracy"] = float(((found.probabilities[late] >= 0.5) == stream.target[late]).mean())
        claims[f"{key}_frozen_late_accuracy"] = float(((frozen.probabilities(stream.matrix[late]) >= 0.5) == stream.target[late]).mean())
        claims[f"{key}_seconds"] = found.seconds
    whole = retrained(LEARNERS.get("continued"), before, stream)
    claims["stream_retrained_recovered_after"] = recovered_after(whole.probabilities, stream.target)
    claims["stream_retrained_late_accuracy"] = float(((whole.probabilities[late] >= 0.5) == stream.target[late]).mean())
    claims["stream_retrained_seconds"] = whole.seconds
    return claims
