"""Recognisers say where personal data stands in a text, of which type, and how sure that is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hatrack.core.plugins import Plugins

__all__ = ["RECOGNISERS", "Finding", "Recogniser", "without_overlaps"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of personal data. It holds the place of the value and never the value, so it can be logged.

    Attributes:
        type: name in upper case; Presidio's name where it has one: ``EMAIL_ADDRESS``, ``US_SSN``.
        start: offset of the first character, in code points as ``str`` counts them.
        end: offset behind the last character.
        score: how sure, 0 to 1; 0.5 and above are reported.
        country: ISO 3166 code of the pack that found it; None for what is the same everywhere.
    """

    type: str
    start: int
    end: int
    score: float
    country: str | None = None


class Recogniser(Protocol):
    """Finds personal data.

    Attributes:
        types: every type it may report with the countries it was made for.
    """

    types: frozenset[str]

    def __init__(self, countries: Sequence[str]) -> None: ...

    def find(self, text: str) -> list[Finding]:
        """What stands in ``text``, in order, without overlaps."""
        ...


RECOGNISERS: Plugins[type[Recogniser]] = Plugins(
    "recogniser",
    {
        "patterns": "hatrack.safety.recognisers.patterns:Patterns",
        "presidio": "hatrack.safety.recognisers.presidio:Presidio",
        "presidio-no-names": "hatrack.safety.recognisers.presidio:PresidioNoNames",
    },
)


def without_overlaps(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in order of place; of those that overlap the surer one stays, then the longer, then the first."""
    kept: list[Finding] = []
    starts: list[int] = []
    for finding in sorted(findings, key=lambda f: (-f.score, f.start - f.end, f.start, f.type)):
        at = bisect_left(starts, finding.start)
        clear_before = at == 0 or kept[at - 1].end <= finding.start
        clear_after = at == len(kept) or finding.end <= starts[at]
        if clear_before and clear_after:
            kept.insert(at, finding)
            starts.insert(at, finding.start)
    return kept
