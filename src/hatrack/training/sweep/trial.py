"""A trial: settings, and what came of them in each rung. Trials of one rung can be compared, those of two cannot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hatrack.training.sweep.record import Outcome
from hatrack.training.sweep.space import Settings

__all__ = ["Trial", "best_first"]


@dataclass
class Trial:
    """Settings on their way through the rungs.

    Attributes:
        number: from 1, in the order in which they were tried.
        outcomes: one for each rung they were in, the last one may have failed.
    """

    number: int
    settings: Settings
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def last(self) -> Outcome:
        """The furthest outcome."""
        return self.outcomes[-1]

    @property
    def failed(self) -> bool:
        """Whether it got no further because it failed."""
        return bool(self.last.failed)

    def merit(self, higher_is_better: bool) -> float | None:
        """The score turned so that higher is better; None where the last training failed."""
        score = self.last.score
        return score if score is None or higher_is_better else -score


def best_first(trials: Iterable[Trial], higher_is_better: bool) -> list[Trial]:
    """Those that did not fail, by score; at equal scores the lower validation loss, then the fewer parameters come first."""

    def rank(trial: Trial) -> tuple[float, float, int, int]:
        return -(trial.merit(higher_is_better) or 0.0), trial.last.loss or 0.0, trial.settings.parameters, trial.number

    return sorted((trial for trial in trials if not trial.failed), key=rank)
