"""All that a text about one prediction may say: the figures, the reasons with their direction, and what each column is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hatrack.tabular.explaining.reasons import Explanation, Reason

__all__ = ["Facts", "readable"]

_UNITS = frozenset("day days month months year years week weeks hour hours euro euros dollar dollars percent pct usd eur".split())
_SHORTEST = 4  # letters of a word that may stand for a column alone


@dataclass(frozen=True)
class Facts:
    """What is known of one prediction.

    Attributes:
        reasons: those that may be named, the largest first.
        other_columns: what the model reads besides; naming one of them as a reason would be wrong.
        classes: all classes; empty for regression.
        target: what is predicted.
    """

    explanation: Explanation
    reasons: tuple[Reason, ...]
    other_columns: tuple[str, ...]
    classes: tuple[str, ...]
    target: str

    @classmethod
    def of(cls, explanation: Explanation, classes: Sequence[str], target: str, most: int = 3) -> Facts:
        """The ``most`` largest reasons; one that contributes next to nothing is none."""
        least = 0.02 * sum(abs(reason.contribution) for reason in explanation.reasons)
        kept = tuple(reason for reason in explanation.reasons[:most] if abs(reason.contribution) > least)
        rest = tuple(reason.column for reason in explanation.reasons if reason not in kept)
        return cls(explanation, kept, rest, tuple(classes), target)

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return (*(reason.column for reason in self.reasons), *self.other_columns)

    def names(self) -> dict[str, tuple[str, ...]]:
        """What each column is called in a text, longest first: its whole name, and words that only it has."""
        words = {column: readable(column).split() for column in self.columns}
        shared = Counter(word for own in words.values() for word in set(own))
        values = (reason.value for reason in self.reasons)  # "monthly" may be a contract and not the monthly charges
        taken = {word for label in (*self.classes, self.target, *values) for word in readable(label).split()}
        found = {}
        for column, own in words.items():
            single = [w for w in own if shared[w] == 1 and len(w) >= _SHORTEST and w not in _UNITS and w not in taken]
            whole = " ".join(own)
            short = " ".join(word for word in own if word not in _UNITS)
            found[column] = tuple(dict.fromkeys(name for name in (whole, short, *single) if name))
        return found


def readable(name: str) -> str:
    """A column's name as one says it: ``credit_amount`` and ``creditAmount`` are credit amount."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.sub(r"[\W_]+", " ", parted).split()).lower()
