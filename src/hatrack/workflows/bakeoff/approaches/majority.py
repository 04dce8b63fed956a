"""The class that is most frequent: what every other approach must beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hatrack.data.records import Example
from hatrack.workflows.bakeoff.base import Problem, Traits

__all__ = ["Constant", "Majority"]


class Constant:
    """Answers the same, whatever is asked."""

    parameters, tokens = 0, (0, 0)

    def __init__(self, text: str) -> None:
        self.text = text
        self.nbytes = len(text.encode())

    def answer(self, rows: Sequence[Example]) -> list[str]:
        return [self.text] * len(rows)


class Majority:
    """Chance with knowledge of the frequencies."""

    name = "majority"
    traits = Traits("the most frequent label", "rule", learns=False, explainable=True)

    def obstacle(self, problem: Problem) -> str:
        return "" if problem.labels else "answers have no classes"

    def identity(self, problem: Problem) -> dict[str, Any]:
        return {}

    def fit(self, problem: Problem) -> Constant:
        return Constant(Counter(example.label for example in problem.train).most_common(1)[0][0])
