"""What a bake-off found, as one record: for the table, the page, and programs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from hatrack.core.config_compare import Prices, Wishes
from hatrack.core.lineage import Interval, Score
from hatrack.workflows.bakeoff.base import Family

__all__ = ["Bakeoff", "Curve", "Entry", "Point", "Recommendation", "Skipped"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Record):
    """One approach that answered the test rows.

    Attributes:
        scores: every metric that applies, with its interval.
        p: that the best is no better, corrected for the number of approaches (Holm); None for the best itself.
        cost_per_1000: of a thousand requests at the stated prices; None where no price is stated.
        total_cost: of training and the stated number of requests.
        broken: the wishes it does not keep to, one phrase each.
        answers: the file with its predictions.
    """

    approach: str
    summary: str
    family: Family
    scores: dict[str, Score]
    p: float | None
    rows: int
    fit_seconds: float
    answer_seconds: float
    parameters: int
    nbytes: int
    memory_mb: float
    latency_p50_ms: float
    latency_p95_ms: float
    cost_per_1000: float | None
    total_cost: float | None
    retrain: bool
    explainable: bool
    offline: bool
    broken: tuple[str, ...]
    answers: str


class Skipped(_Record):
    """One approach that was not measured, and why: it does not apply, the time was over, or it failed."""

    approach: str
    kind: Literal["does not apply", "no time", "failed"]
    reason: str


class Point(_Record):
    """The score after learning from so many rows."""

    rows: int
    score: Score


class Curve(_Record):
    """A learning curve and what it says. ``gain``: the last point minus the one before."""

    approach: str
    points: tuple[Point, ...]
    gain: float
    interval: Interval
    verdict: str


class Recommendation(_Record):
    """The cheapest approach that is not significantly worse than the best; None where nothing keeps to the wishes."""

    approach: str | None
    reasons: tuple[str, ...]


class Bakeoff(_Record):
    """The whole comparison."""

    kind: Literal["hatrack.compare/1"] = "hatrack.compare/1"
    adapter: str
    task: str
    metric: str
    higher_is_better: bool
    confidence: float
    train_rows: int
    test_rows: int
    labels: int
    entries: tuple[Entry, ...]
    skipped: tuple[Skipped, ...]
    best: str
    recommendation: Recommendation
    curves: tuple[Curve, ...]
    prices: Prices
    requests: int
    wishes: Wishes
    notes: tuple[str, ...]
    seconds: float
    created: str

    def entry(self, approach: str) -> Entry:
        """The measured approach of this name."""
        return next(entry for entry in self.entries if entry.approach == approach)
