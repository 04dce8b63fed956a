"""Whether a passage supports an answer: the guard between a model that writes rows and the data set.

It compares words, so it finds what was invented and not what was turned round: "is liable" and "is not liable" have the
same content words. Rows that a model wrote should be read by somebody who knows the matter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hatrack.data.clean.counts import visible
from hatrack.data.tasks.words import content_words, folded_words, names, numbers

__all__ = ["SupportReport", "Verdict", "missing_support"]

_EXAMPLES = 3
_KEPT = 600  # characters of a reply; half of them are shown, once personal data is masked


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reply and what became of it; ``reason`` is empty for a reply that was kept."""

    kind: str
    reason: str
    reply: str


@dataclass
class SupportReport:
    """What a model was asked, and how much of it may be trained on.

    Attributes:
        asked: prompts sent.
        parsed: replies in the format that was asked for.
        kept: replies that their passage supports.
        rejected: how many for which reason.
        examples: the first replies of each reason, and of those kept.
    """

    asked: int = 0
    parsed: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: list[Verdict] = field(default_factory=list)

    def add(self, kind: str, reply: str, reason: str, *, parsed: bool) -> None:
        """Count one reply. An empty ``reason`` keeps it."""
        self.asked += 1
        self.parsed += parsed
        self.kept += not reason
        if reason:
            self.rejected[reason] += 1
        if sum(example.reason == reason for example in self.examples) < _EXAMPLES:
            self.examples.append(Verdict(kind, reason, visible(reply[:_KEPT])))

    def lines(self) -> list[str]:
        """The report for a screen."""
        if not self.asked:
            return []
        reasons = sorted(self.rejected.items(), key=lambda item: (-item[1], item[0]))
        head = f"{self.asked} asked, {self.parsed} in the format, {self.kept} kept ({self.kept / self.asked:.0%})"
        return [head, *(f"{count} rejected: {reason}" for reason, count in reasons)]


def missing_support(answer: str, passage: str, share: float) -> str:
    """Why ``passage`` does not support ``answer``; empty where it does.

    Every number and every name of the answer must stand in the passage, and at least ``share`` of its content words.
    Words are compared case folded and not stemmed: "payment" does not support "payments".
    """
    if not set(numbers(answer)) <= set(numbers(passage)):
        return "a number that the passage does not hold"
    there = set(folded_words(passage))
    if not {name.casefold() for name in names(answer)} <= there:
        return "a name that the passage does not hold"
    words = content_words(answer)
    if not words and not numbers(answer):
        return "an answer without content"
    found = sum(word in there for word in words)
    return "too few of its words stand in the passage" if found < share * len(words) else ""
