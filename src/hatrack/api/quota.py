"""A token bucket: so many a minute, and after a pause as many at once."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Bucket"]


class Bucket:
    """Holds up to ``per_minute`` and fills evenly. Used from one thread."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.capacity = per_minute
        self._level = per_minute
        self._clock = clock
        self._filled = clock()

    def take(self, amount: float) -> float:
        """Take ``amount`` out; returns 0, or, with nothing taken, the seconds until it would be there."""
        now = self._clock()
        self._level = min(self.capacity, self._level + (now - self._filled) * self.capacity / 60)
        self._filled = now
        if amount <= self._level:
            self._level -= amount
            return 0.0
        return (amount - self._level) * 60 / self.capacity

    def give(self, amount: float) -> None:
        """Put back what was taken and not used."""
        self._level = min(self.capacity, self._level + amount)
