"""The form of the answers: JSON, a number, one word, a list, ...; how they end, how they begin, and which rows fall out of line."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Literal

from pydantic import Field

from hatrack.data.quality.labels import alike
from hatrack.data.quality.record import Place, Record
from hatrack.data.quality.walk import Ledger, answer
from hatrack.data.records import Example

__all__ = ["DOMINANT", "AnswerFormat", "Habit", "Odd", "ShapeCounter", "ending_of", "shape_of"]

DOMINANT = 0.9  # a form that so many answers share is meant; those without it are probably slips
_SHOWN = 10
_DISTINCT = 500  # answers of which there are more are no fixed set of values

_NUMBER = re.compile(r"[-+]?[$€£₹¥]?\s?\d[\d,.\s]*\s?[%€]?")
_YES_NO = {"yes", "no", "true", "false"}
_ITEM = re.compile(r"\s*(?:[-*•+]|\d{1,3}[.)])\s+\S")
_MARKDOWN = re.compile(r"^#{1,6} \S|^```|\*\*\S[^*\n]*\*\*|^\|.*\|[ \t]*$|\[[^\[\]\n]+\]\([^()\s]+\)", re.MULTILINE)


class Odd(Record):
    """An answer of another form than nearly all others, and the first row that gives it."""

    place: Place
    found: str
    answer: str
    rows: int = Field(description="Rows that give this answer.")


class Habit(Record):
    """What the answers have in common, seen from one side."""

    trait: Literal["shape", "ending", "first letter"]
    counts: dict[str, int] = Field(description="Answers by form, most frequent first.")
    dominant: str | None = Field(description=f"The form that at least {DOMINANT:.0%} of the answers share, if there is one.")
    odd: int = Field(description="Answers without the dominant form.")
    rows: tuple[Odd, ...] = Field(description=f"The first {_SHOWN} different ones of them.")


class AnswerFormat(Record):
    """The form of all answers."""

    answers: int
    habits: tuple[Habit, ...]
    spaced: int = Field(description="Answers that begin or end with white space.")
    spaced_rows: tuple[Place, ...]
    alike: tuple[tuple[str, ...], ...] = Field(
        description="Values that differ by case, punctuation, a plural or one letter, where the answers are a fixed set of values."
    )


class ShapeCounter:
    """Counts the forms of answers as rows pass by; of each form the first few are kept.

    Args:
        labels: the answers are labels; how many words a label has is then no matter of form.
        quote: how an answer is shown.
    """

    def __init__(self, quote: Callable[[str], str], *, labels: bool) -> None:
        self._quote = quote
        self._labels = labels
        self._answers = 0
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._kept: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(dict)  # answer to ordinal and rows
        self._spaced = 0
        self._spaced_at: list[int] = []
        self._values: Counter[str] = Counter()

    def see(self, ordinal: int, split: str, example: Example) -> None:
        """Look at one row's answer."""
        given = answer(example)
        self._answers += 1
        if given != given.strip():
            self._spaced += 1
            if len(self._spaced_at) < _SHOWN:
                self._spaced_at.append(ordinal)
        text = given.strip()
        shape = shape_of(text)
        if self._labels and shape == "one word":
            shape = "one line"
        self._count("shape", shape, ordinal, text)
        if shape in ("one word", "one line", "several lines"):
            self._count("ending", ending_of(text), ordinal, text)
            if text[0].isalpha() and text[0].lower() != text[0].upper():
                self._count("first letter", "small first letter" if text[0].islower() else "capital first letter", ordinal, text)
        if len(self._values) <= _DISTINCT and len(text) <= 60:
            self._values[text] += 1

    def _count(self, trait: str, value: str, ordinal: int, text: str) -> None:
        self._counts[trait][value] += 1
        kept = self._kept[trait, value]
        if text in kept:
            kept[text][1] += 1
        elif len(kept) < _SHOWN:
            kept[text] = [ordinal, 1]

    def answer_format(self, ledger: Ledger) -> AnswerFormat:
        """What was counted."""
        # a fixed set of values: few, and each said several times
        fixed = not self._labels and len(self._values) <= min(_DISTINCT, self._answers // 5)
        return AnswerFormat(
            answers=self._answers,
            habits=tuple(self._habit(trait, ledger) for trait in ("shape", "ending", "first letter") if self._counts[trait]),
            spaced=self._spaced,
            spaced_rows=tuple(ledger.place(ordinal) for ordinal in self._spaced_at),
            alike=alike(sorted(self._values)) if fixed else (),
        )

    def _habit(self, trait: Literal["shape", "ending", "first letter"], ledger: Ledger) -> Habit:
        ordered = sorted(self._counts[trait].items(), key=lambda item: (-item[1], item[0]))
        total = sum(count for _, count in ordered)
        name, most = ordered[0]
        dominant = name if most >= DOMINANT * total else None
        others = [value for value, _ in ordered if dominant not in (None, value)]
        odd = sorted((ordinal, value, text, rows) for value in others for text, (ordinal, rows) in self._kept[trait, value].items())
        return Habit(
            trait=trait,
            counts=dict(ordered),
            dominant=dominant,
            odd=total - most if dominant else 0,
            rows=tuple(
                Odd(place=ledger.place(ordinal), found=value, answer=self._quote(text), rows=rows)
                for ordinal, value, text, rows in odd[:_SHOWN]
            ),
        )


def shape_of(text: str) -> str:
    """The form of an answer without white space around it, by the first test that it passes."""
    if not text:
        return "empty"
    if text[0] in "{[" and text[-1] in "}]":
        try:
            return "JSON object" if isinstance(json.loads(text), dict) else "JSON array"
        except (ValueError, RecursionError):
            if '":' in text:
                return "broken JSON"
    if _NUMBER.fullmatch(text):
        return "number"
    if text.rstrip(".!").casefold() in _YES_NO:
        return "yes or no"
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1:
        plain = "one line" if len(text.split()) > 1 else "one word"
        return "Markdown" if _MARKDOWN.search(text) else plain
    if _MARKDOWN.search(text):
        return "Markdown"
    items = sum(_ITEM.match(line) is not None for line in lines)
    return "list" if items >= 2 and 2 * items >= len(lines) else "several lines"


def ending_of(text: str) -> str:
    """How an answer ends: with a full stop, with another mark, or without any."""
    if text[-1] in ".。।":
        return "final full stop"
    return "another final mark" if text[-1] in "!?;:,…" else "no final mark"
