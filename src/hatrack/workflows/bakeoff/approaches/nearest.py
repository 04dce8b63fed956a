"""The answer of the nearest known question: nothing is trained, and every answer names the row it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hatrack.data.records import Example
from hatrack.evaluation.systems import expected_answer
from hatrack.models.embedder import TextEmbedder
from hatrack.workflows.bakeoff.approaches.features import asked_text
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["KnownRows", "Nearest"]


class KnownRows:
    """Training rows by the meaning of what they ask."""

    def __init__(self, problem: Problem) -> None:
        self.rows = list(problem.train)
        self._embed = TextEmbedder(problem.encoder)
        self.vectors: NDArray[np.float32] = self._embed([asked_text(row) for row in self.rows])

    def nearest(self, rows: Sequence[Example], count: int) -> NDArray[np.int64]:
        """Numbers ``[rows, count]`` of the rows with the highest cosine similarity, best first."""
        scores = self._embed([asked_text(row) for row in rows]) @ self.vectors.T
        count = min(count, len(self.rows))
        best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        order = np.take_along_axis(-scores, best, axis=1).argsort(axis=1, kind="stable")
        return np.take_along_axis(best, order, axis=1)

    @property
    def nbytes(self) -> int:
        """Of the vectors and the rows' own text."""
        return self.vectors.nbytes + sum(len(asked_text(row).encode()) + len(expected_answer(row).encode()) for row in self.rows)


class _NearestRow:
    parameters, tokens = 0, (0, 0)

    def __init__(self, known: KnownRows) -> None:
        self._known, self.nbytes = known, known.nbytes

    def answer(self, rows: Sequence[Example]) -> list[str]:
        return [expected_answer(self._known.rows[i]) for i in self._known.nearest(rows, 1)[:, 0]]


class Nearest:
    """See the module."""

    name = "nearest"
    traits = Traits("the answer of the training row that is nearest in meaning", "classical", retrain=False, explainable=True)

    def obstacle(self, problem: Problem) -> str:
        return ""

    def identity(self, problem: Problem) -> dict[str, Any]:
        return {"encoder": problem.encoder.fingerprint}

    def fit(self, problem: Problem) -> _NearestRow:
        return _NearestRow(KnownRows(problem))
