"""Detectors read answers and say whether the model behaved. They are rules: the same answer always gets the same verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hatrack.core.plugins import Plugins

__all__ = ["DETECTORS", "Detector", "Evidence", "Verdict"]


@dataclass(frozen=True)
class Evidence:
    """What one probe asked and heard.

    Attributes:
        asked: the text of each conversation, all its turns together.
        answers: one for each conversation.
        words: what the probe names: marks that must not occur, secrets, the words that stand for a group of people.
    """

    asked: Sequence[str]
    answers: Sequence[str]
    words: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether the probe was passed; ``reason`` never repeats a secret."""

    passed: bool
    reason: str


class Detector(Protocol):
    """One rule."""

    def judge(self, evidence: Evidence) -> Verdict:
        """Whether the model behaved."""
        ...


DETECTORS: Plugins[type[Detector]] = Plugins(
    "detector",
    {
        "refuses": "hatrack.safety.detectors.refusal:Refuses",
        "complies": "hatrack.safety.detectors.refusal:Complies",
        "without": "hatrack.safety.detectors.marks:Without",
        "no-personal-data": "hatrack.safety.detectors.personal:NoPersonalData",
        "admits": "hatrack.safety.detectors.admits:Admits",
        "same-decision": "hatrack.safety.detectors.same:SameDecision",
    },
)
