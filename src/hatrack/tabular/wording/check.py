"""Whether a text about a prediction says only what is so: every number, every reason, every direction.

The text is taken apart into sentences. A number must be a rounding of a figure of the prediction, or of the column that
stands nearest to it. A column that is named must be one of the reasons, pushing the way the text says. A sentence that
gives a reason may not use a word that belongs neither to the facts nor to the language of explanations
(``lexicon.NEUTRAL``): that is how invented reasons are found. What is in doubt counts as wrong: the template is always at
hand.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from hatrack.tabular.wording.facts import Facts, readable
from hatrack.tabular.wording.lexicon import DENIALS, DOWN, NEUTRAL, REASON, UP
from hatrack.tabular.wording.numbers import Number, numbers_in_text

__all__ = ["TextFault", "check_text"]

_SENTENCE = re.compile(r"(?<=[.!?;:])\s+|\n+")
_PIECE = re.compile(r",\s|;|\band\b|\bbut\b|\bwhile\b|\bwhereas\b|\bplus\b")
_COUNTED = re.compile(
    r"\s*(?:(?:main|biggest|largest|most|important|strongest|key|other|such)\s+)*(?:reason|factor|point|thing|driver)s?\b"
)


@dataclass(frozen=True)
class TextFault:
    """Something that the facts do not bear: ``number``, ``reason``, ``direction`` or ``unknown word``; and where."""

    kind: str
    words: str
    sentence: str


@dataclass(frozen=True)
class _Mention:
    """A column that is named, by its name or its value."""

    column: str
    start: int
    end: int

    def inside(self, other: _Mention) -> bool:
        """Whether it is a part of a longer mention."""
        return other.start <= self.start and self.end <= other.end and other.end - other.start > self.end - self.start


def check_text(text: str, facts: Facts) -> list[TextFault]:
    """Everything in ``text`` that ``facts`` do not bear; empty where it may be shown."""
    if not text.strip():
        return [TextFault("reason", "the text is empty", "")]
    faults = []
    for sentence in _SENTENCE.split(text.strip()):
        if sentence.strip():
            faults += _check_sentence(sentence, facts)
    return faults


def _check_sentence(sentence: str, facts: Facts) -> list[TextFault]:
    lowered = sentence.lower()
    # of a name inside a value ("no checking account") and a value inside a name ("monthly charges") the longer one is meant
    names, values = list(_columns(lowered, facts)), list(_values(lowered, facts))
    mentions = sorted((m for m in [*names, *values] if not any(m.inside(other) for other in [*names, *values])), key=lambda m: m.start)
    spans = [(mention.start, mention.end) for mention in mentions]  # a name may hold a number: spent 7d
    faults = [
        TextFault("number", number.text, sentence)
        for number in numbers_in_text(sentence)
        if not any(start <= number.start < end for start, end in spans) and not _known(number, lowered, mentions, facts)
    ]
    faults += _wrong_values(lowered, sentence, mentions, values, facts)
    faults += _wrong_reasons(lowered, sentence, mentions, facts)
    return faults


def _columns(text: str, facts: Facts) -> Iterator[_Mention]:
    taken: list[tuple[int, int]] = []
    names = [(name, column) for column, own in facts.names().items() for name in own]
    for name, column in sorted(names, key=lambda pair: -len(pair[0])):
        for found in re.finditer(rf"\b{re.escape(name)}(?:s|es)?\b", text):
            if not any(start < found.end() and found.start() < end for start, end in taken):
                taken.append(found.span())
                yield _Mention(column, *found.span())


def _values(text: str, facts: Facts) -> Iterator[_Mention]:
    """Values in words, of the reasons; values that are numbers are checked as numbers."""
    for reason in facts.reasons:
        value = reason.value.lower().strip()
        if not value or (next(iter(numbers_in_text(value)), None) is not None and value.replace(".", "").replace("-", "").isdigit()):
            continue
        for found in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text):
            yield _Mention(reason.column, *found.span())


def _known(number: Number, text: str, mentions: list[_Mention], facts: Facts) -> bool:
    one = facts.explanation
    if number.decimals == 0 and number.value <= max(3, len(facts.reasons)) and _COUNTED.match(text, number.end):
        return number.value <= len(facts.reasons)
    nearest = min(mentions, key=lambda m: max(m.start - number.end, number.start - m.end), default=None)
    own = _figures_of(nearest.column, facts) if nearest else []
    if not number.percent and any(number.rounds(figure) for figure in own):
        return True
    about = [one.score, *([one.threshold] if one.threshold is not None else [])]
    if len(facts.classes) == 2 and one.about:
        about.append(1 - one.score)
    if number.percent:
        return bool(one.about) and any(number.rounds(figure) for figure in about)
    return (number.decimals > 0 and any(number.rounds(figure) for figure in [*about, one.margin, one.start])) or (
        not one.about and number.rounds(one.score)
    )


def _figures_of(column: str, facts: Facts) -> list[float]:
    found = []
    for reason in facts.reasons:
        if reason.column == column:
            found.append(reason.contribution)
            found += [number.value for number in numbers_in_text(reason.value)]
    return found


def _wrong_values(text: str, sentence: str, mentions: list[_Mention], values: list[_Mention], facts: Facts) -> list[TextFault]:
    """What stands in brackets behind a column is its value, and must be it."""
    faults = []
    for mention in mentions:
        found = re.match(r"\s*\(([^()]*)\)|\s+(?:is|was|of|:)?\s*[\"'“”]([^\"'“”]+)[\"'“”]", text[mention.end :])
        inside = (found.group(1) or found.group(2) or "").strip() if found else ""
        value = next((reason.value.lower().strip() for reason in facts.reasons if reason.column == mention.column), None)
        if not inside or value is None or inside == value or mention in values:
            continue
        bare = re.sub(r"[^a-z]+", " ", inside).split()
        if all(word in NEUTRAL or word in readable(mention.column).split() for word in bare):
            continue  # numbers, which are checked as such, and units
        faults.append(TextFault("reason", f"{readable(mention.column)} ({inside})", sentence))
    return faults


def _wrong_reasons(text: str, sentence: str, mentions: list[_Mention], facts: Facts) -> list[TextFault]:
    faults = []
    signs = {reason.column: reason.contribution for reason in facts.reasons}
    masked = _masked(text, mentions)
    gives_reason = bool(REASON.search(masked) or UP.search(masked) or DOWN.search(masked))
    for mention in mentions:
        if mention.column not in signs:
            faults.append(TextFault("reason", readable(mention.column), sentence))
            continue
        said = _direction(masked, mention, facts)
        if said == "denied" or (said is not None and (said == "up") != (signs[mention.column] > 0)):
            faults.append(TextFault("direction", readable(mention.column), sentence))
    if gives_reason:
        known = _vocabulary(facts)
        pushes = UP.sub(" ", DOWN.sub(" ", masked))
        for word in re.findall(r"[a-z][a-z'’-]+", REASON.sub(" ", pushes)):
            stem = word.removesuffix("'s").removesuffix("’s")
            if stem not in NEUTRAL and stem not in known and not any(part in known for part in (stem.removesuffix("s"), f"{stem}s")):
                faults.append(TextFault("unknown word", word, sentence))
    return faults


def _direction(masked: str, mention: _Mention, facts: Facts) -> str | None:
    """``up``, ``down``, ``denied``, or None where the text does not say: in the mention's own piece, else in the next, else before."""
    borders = [0, *(m.start() for m in _PIECE.finditer(masked)), len(masked)]
    pieces = list(itertools.pairwise(borders))
    own = next((i for i, (start, end) in enumerate(pieces) if start <= mention.start < end), len(pieces) - 1)
    for i in (own, *range(own + 1, len(pieces)), *range(own - 1, -1, -1)):
        start, end = pieces[i]
        piece = masked[start:end]
        up, down = UP.search(piece), DOWN.search(piece)
        if not up and not down:
            continue
        if up and down:
            return None if i == own else "denied"
        if DENIALS.search(piece):
            return "denied"
        rising = bool(up)
        others = [label.lower() for label in facts.classes if label != facts.explanation.about]
        if len(facts.classes) == 2 and re.search(rf"\b{re.escape(others[0])}\b", piece):
            rising = not rising  # what raises the one lowers the other
        return "up" if rising else "down"
    return None


def _masked(text: str, mentions: list[_Mention]) -> str:
    """The text with the columns and values blanked out, at the same length."""
    for mention in mentions:
        text = text[: mention.start] + "#" * (mention.end - mention.start) + text[mention.end :]
    return text


def _vocabulary(facts: Facts) -> set[str]:
    one = facts.explanation
    names = [
        facts.target,
        *facts.classes,
        one.unit,
        *(reason.column for reason in facts.reasons),
        *(reason.value for reason in facts.reasons),
    ]
    return {word for name in names for word in readable(name).split()}
