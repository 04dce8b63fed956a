"""Linear and logistic models: missing numbers filled, everything scaled, one weight for each feature."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import numpy as np

from hatrack.tabular.scorers.arrays import read_arrays, write_arrays
from hatrack.tabular.scorers.base import Array, Link

__all__ = ["LinearScorer"]


@dataclass(frozen=True)
class LinearScorer:
    """``margin = bias + weights · (filled - mean) / scale``.

    A feature's SHAP value is its term: the features are taken as independent, and the mean row has the margin ``bias``.

    Attributes:
        fill, mean, scale: [features]
        weights: [outputs, features]
        bias: [outputs]
    """

    fill: Array
    mean: Array
    scale: Array
    weights: Array
    bias: Array
    link: Link
    kind = "linear"

    def margins(self, matrix: Array) -> Array:
        return self.scaled(matrix) @ self.weights.T + self.bias

    def contributions(self, matrix: Array) -> tuple[Array, Array]:
        return self.scaled(matrix)[:, None, :] * self.weights, self.bias

    def scaled(self, matrix: Array) -> Array:
        """``[rows, features]`` filled, with mean zero and spread one."""
        filled: Array = np.where(np.isnan(matrix), self.fill, matrix)
        return (filled - self.mean) / self.scale

    def save(self, folder: Path, name: str) -> None:
        arrays = {key: getattr(self, key) for key in ("fill", "mean", "scale", "weights", "bias")}
        write_arrays(folder / f"{name}.safetensors", arrays, self.link)

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        arrays, link = read_arrays(folder / f"{name}.safetensors", ("fill", "mean", "scale", "weights", "bias"))
        return cls(**arrays, link=cast(Link, link))
