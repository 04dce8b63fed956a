"""What the engine has done, for estimates and for the metrics page."""

from __future__ import annotations

from collections import Counter

from hatrack.serving.answer import Answer

__all__ = ["Statistics"]

_WEIGHT = 0.05  # of the newest answer in the running mean


class Statistics:
    """Counters; written by the engine's thread, read by any."""

    def __init__(self) -> None:
        self.steps = 0
        self.tokens = 0
        self.chosen = 0
        self.busy_seconds = 0.0
        self.answers: Counter[str] = Counter()
        self._seconds_each = 0.5

    def step(self, tokens: int, chosen: int, seconds: float) -> None:
        """One step ran: so many tokens went in, so many were chosen."""
        self.steps += 1
        self.tokens += tokens
        self.chosen += chosen
        self.busy_seconds += seconds

    def finished(self, answer: Answer) -> None:
        """One answer ended."""
        self.answers[answer.request.digest] += 1
        if self.busy_seconds:
            each = self.busy_seconds / sum(self.answers.values())
            self._seconds_each += _WEIGHT * (each - self._seconds_each)

    def retry_after(self, waiting: int) -> float:
        """Seconds after which there may be room, from how long answers have taken."""
        return max(1.0, round(waiting * self._seconds_each))
