"""What every kind of model does when it is fitted, and where each is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hatrack.core.plugins import Plugins
from hatrack.tabular.scorers.base import Array, Scorer

__all__ = ["TABLE_MODELS", "Fittable", "Sample"]


@dataclass(frozen=True)
class Sample:
    """Rows to fit on.

    Attributes:
        matrix: [rows, features], NaN where nothing is known.
        target: [rows] the class's number, or the value.
        weight: [rows]
        classes: how many; 0 for regression.
        monotone: [features] 1, -1 or 0.
        seed: for everything random.
    """

    matrix: Array
    target: Array
    weight: Array
    classes: int
    monotone: npt.NDArray[np.int64]
    seed: int

    def take(self, rows: npt.NDArray[np.int64]) -> Sample:
        """Some of the rows."""
        return Sample(self.matrix[rows], self.target[rows], self.weight[rows], self.classes, self.monotone, self.seed)


class Fittable(Protocol):
    """One kind of model.

    Attributes:
        keeps_monotone: it can be held to rise or fall with a feature.
        rounds_key: the option that says how many steps it takes, where stopping early makes sense; else empty.
    """

    keeps_monotone: bool
    rounds_key: str

    def grid(self, sample: Sample) -> list[dict[str, Any]]:
        """Options worth trying, the default ones first."""
        ...

    def fit(self, sample: Sample, options: Mapping[str, Any], held_out: Sample | None = None) -> tuple[Scorer, int]:
        """The fitted model, and how many rounds were best on ``held_out`` (0 where there are no rounds).

        Raises:
            ConfigError: options that the library does not know.
        """
        ...


TABLE_MODELS: Plugins[type[Fittable]] = Plugins(
    "table_model",
    {
        "linear": "hatrack.tabular.fitting.models.linear:Linear",
        "forest": "hatrack.tabular.fitting.models.forest:Forest",
        "histogram": "hatrack.tabular.fitting.models.histogram:Histogram",
        "xgboost": "hatrack.tabular.fitting.models.xgboost:XGBoost",
        "blend": "hatrack.tabular.fitting.models.blend:Blend",
    },
)
