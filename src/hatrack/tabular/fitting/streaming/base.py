"""What every model that learns from a stream does, and where each is found."""

from __future__ import annotations

from typing import Protocol

from hatrack.core.plugins import Plugins
from hatrack.tabular.fitting.models.base import Sample
from hatrack.tabular.scorers.base import Array, Scorer

__all__ = ["LEARNERS", "Learner"]


class Learner(Protocol):
    """A model for two classes that takes rows as they come. Before the first ones it answers one half.

    Attributes:
        keeps_monotone: it holds to ``Sample.monotone``.
    """

    keeps_monotone: bool

    def resume(self, scorer: Scorer) -> bool:
        """Go on from a stored model: answer as it does, then learn. False where it is of another kind; then nothing changed."""
        ...

    def learn(self, sample: Sample) -> None:
        """Go on learning; what was learned stays, as far as the kind of model lets it."""
        ...

    def probabilities(self, matrix: Array) -> Array:
        """[rows] of the positive class."""
        ...

    def scorer(self) -> Scorer | None:
        """Its stored form as it is now; None where it has none, and cannot become a version."""
        ...


LEARNERS: Plugins[type[Learner]] = Plugins(
    "learner",
    {
        "continued": "hatrack.tabular.fitting.streaming.continued:Continued",
        "partial-fit": "hatrack.tabular.fitting.streaming.partial_fit:PartialFit",
        "river": "hatrack.tabular.fitting.streaming.river:River",
    },
)
