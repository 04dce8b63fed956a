"""The scan: rules for numbers see only the places where enough digits stand close together, which is a small part of a text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hatrack.safety.recognisers.base import Finding, without_overlaps
from hatrack.safety.recognisers.packs.base import Pack, Rule

__all__ = ["ACCEPTED", "Scanner"]

ACCEPTED = 0.5  # the lowest score that is reported
BEFORE, AFTER = 60, 24  # characters around a match in which a word of the rule counts
LABEL, TAIL = 48, 16  # characters around a run of digits that a pattern may need: a label, a country code, a last letter

# A run of digits with at most six other characters between two of them. Possessive: no way back, so no quadratic time.
RUN = re.compile(r"[0-9](?:[^0-9\n]{0,6}+[0-9])*+")
DIGIT = re.compile(r"[0-9]")
# Nothing that belongs to a longer number or word touches the value: no letter, no decimal part, no amount of money.
START, END = r"(?<![\w$€£₹])(?<![0-9][.,\-])", r"(?!\w)(?![.,\-][0-9])"


@dataclass(frozen=True)
class _Compiled:
    rule: Rule
    country: str | None
    pattern: re.Pattern[str]
    words: re.Pattern[str] | None
    group: int | str


def _compile(rule: Rule, country: str | None) -> _Compiled:
    pattern = re.compile(f"{START}(?:{rule.pattern}){END}")
    words = re.compile(rf"(?i)(?<![^\W_])(?:{rule.words})(?![^\W_])") if rule.words else None
    return _Compiled(rule, country, pattern, words, "v" if "v" in pattern.groupindex else 0)


class Scanner:
    """Applies the rules of some packs to a text."""

    def __init__(self, packs: Sequence[Pack]) -> None:
        rules = [_compile(rule, pack.country) for pack in packs for rule in pack.rules]
        self._whole = [compiled for compiled in rules if compiled.rule.needs]
        self._digits = sorted((compiled for compiled in rules if not compiled.rule.needs), key=lambda compiled: compiled.rule.digits)

    def find(self, text: str) -> list[Finding]:
        """Findings of score 0.5 and above, in order, without overlaps."""
        found: list[Finding] = []
        for compiled in self._whole:
            if any(needed in text for needed in compiled.rule.needs):
                found.extend(_matches(compiled, text, 0, len(text)))
        for run in RUN.finditer(text):
            digits = len(DIGIT.findall(text, run.start(), run.end()))
            first, last = max(0, run.start() - LABEL), min(len(text), run.end() + TAIL)
            for compiled in self._digits:
                if compiled.rule.digits > digits:
                    break
                found.extend(_matches(compiled, text, first, last))
        return without_overlaps(found)


def _matches(compiled: _Compiled, text: str, first: int, last: int) -> Iterator[Finding]:
    rule, search = compiled.rule, compiled.pattern.search
    while match := search(text, first, last):
        start, end = match.span(compiled.group)
        first = match.start() + 1
        if rule.check is not None and not rule.check(text[start:end]):
            continue
        score = rule.alone
        if rule.near > score and compiled.words is not None and _near(compiled.words, text, start, end):
            score = rule.near
        if score >= ACCEPTED:
            yield Finding(rule.type, start, end, score, compiled.country)
            first = match.end()


def _near(words: re.Pattern[str], text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - BEFORE) : start], text[end : end + AFTER]
    return words.search(before) is not None or words.search(after) is not None
