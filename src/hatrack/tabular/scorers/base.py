"""What every stored model promises, and where each is found. The names stand in files and are looked up here, never imported."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from hatrack.core.plugins import Plugins

__all__ = ["SCORERS", "Array", "Link", "Scorer"]

Array = npt.NDArray[np.float64]
Link = Literal["logit", "probability", "value"]


class Scorer(Protocol):
    """A fitted model.

    A margin is what the model adds up: log odds (``logit``; one for two classes, else one for each class), a probability
    (``probability``), or the value itself (``value``).

    Attributes:
        kind: its name in ``SCORERS``.
    """

    kind: str

    @property
    def link(self) -> Link:
        """What its margins are."""
        ...

    def margins(self, matrix: Array) -> Array:
        """``[rows, features]`` to ``[rows, outputs]``."""
        ...

    def contributions(self, matrix: Array) -> tuple[Array, Array]:
        """SHAP values ``[rows, outputs, features]`` and the mean margin ``[outputs]`` that they start from.

        Their sum and the mean margin are the margin.
        """
        ...

    def save(self, folder: Path, name: str) -> None:
        """Write one file whose name begins with ``name`` and a dot; nothing in it is code."""
        ...

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Read it again.

        Raises:
            AdapterBroken: the file is damaged.
        """
        ...


SCORERS: Plugins[type[Scorer]] = Plugins(
    "scorer",
    {
        "linear": "hatrack.tabular.scorers.linear:LinearScorer",
        "trees": "hatrack.tabular.scorers.trees:TreeScorer",
        "xgboost": "hatrack.tabular.scorers.boosted:BoostedScorer",
        "blend": "hatrack.tabular.scorers.blend:BlendScorer",
    },
)
