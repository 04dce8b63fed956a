"""Who takes part in a step, and whose prompt is computed first: a flood for one adapter must not hold up the others (F26).

running answers ─┬─ no adapter has more than half ─► all of them
                 └─ one has, another's prompt waits ─► all but that one's, every other step at most
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hatrack.serving.answer import Answer

__all__ = ["Turns"]


class Turns:
    """Owned by the engine's thread."""

    def __init__(self, patience: float) -> None:
        """``patience`` in seconds, after which a prompt goes before all others."""
        self._patience = patience
        self._stood_aside = False

    def take(self, running: Sequence[Answer], now: float) -> list[Answer]:
        """The answers of the next step. Prompts share what a step computes of prompts in this order.

        First those that have waited too long, then those of the adapters with the fewest answers.
        """
        rows = Counter(answer.request.digest for answer in running)
        most, count = rows.most_common(1)[0]
        self._stood_aside = (
            not self._stood_aside
            and 2 * count > len(running)
            and any(not answer.first and answer.request.digest != most for answer in running)
        )
        taking = [one for one in running if not self._stood_aside or one.request.digest != most or self._late(one, now)]
        return sorted(taking, key=lambda answer: 0 if self._late(answer, now) else rows[answer.request.digest])

    def _late(self, answer: Answer, now: float) -> bool:
        return not answer.first and now - answer.started > self._patience
