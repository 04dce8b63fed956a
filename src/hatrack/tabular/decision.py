"""From probabilities to a decision: above a threshold, or whatever costs least."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from hatrack.tabular.scorers.base import Array

__all__ = ["Decision"]


class Decision(BaseModel):
    """How one class is chosen.

    Attributes:
        classes: their names; of two the second is the positive one.
        threshold: two classes: the positive one is chosen from this probability on.
        costs: [true class][chosen class]; None where every error counts the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: tuple[str, ...]
    threshold: float = 0.5
    costs: tuple[tuple[float, ...], ...] | None = None

    def choose(self, probabilities: Array) -> npt.NDArray[np.int64]:
        """``[rows, classes]`` to the number of the chosen class ``[rows]``."""
        if len(self.classes) == 2:
            return (probabilities[:, 1] >= self.threshold).astype(np.int64)
        expected = -probabilities if self.costs is None else probabilities @ np.asarray(self.costs, np.float64)
        chosen: npt.NDArray[np.int64] = expected.argmin(axis=1)
        return chosen
