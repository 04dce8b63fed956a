"""Applies the rules of ``prepare.clean`` to examples until nothing changes any more, and counts what each of them did.

    unicode ─► control ─► boilerplate ─► whitespace ─┐     label, then languages and lengths
       ▲                                             │     decide whether the row stays
       └──────────── while the text changes ─────────┘

One rule can make work for another: mojibake with a zero-width space inside is mojibake only once that is gone. So a
cleaned text is one that no rule would change, and cleaning it again does nothing. The loop ends: every rule shortens
the text or lowers the number of characters that a rule would change.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from hatrack.core.chat import Message
from hatrack.core.config_prepare import CleanRules
from hatrack.data.clean.boilerplate import BoilerplateCounter, remove_lines
from hatrack.data.clean.control import remove_control
from hatrack.data.clean.counts import RuleCount, Tally, visible
from hatrack.data.clean.unicode import repair_unicode
from hatrack.data.clean.whitespace import fold_whitespace
from hatrack.data.language import UNKNOWN, language
from hatrack.data.records import Example, RowFault, beginning

__all__ = ["Cleaner"]

Rule = Callable[[str], str]


class Cleaner:
    """Cleans the rows of one data set.

    Texts, user and assistant turns and the worse answer are repaired. Labels are stripped and normalised to NFC. System
    turns stay as they are: use sends the same system prompt, and it is not cleaned there.

    Args:
        quote: masks what may not be shown. A row in which it finds anything is counted and is no example: of a broken value only
            a part may be found, and of a cut one none.
    """

    def __init__(self, rules: CleanRules, quote: Callable[[str], str] = str) -> None:
        self._rules = rules
        self._quote = quote
        self._boilerplate: dict[str, int] | None = None
        self._learned_rows = 0
        repairs: dict[str, Rule] = {
            "unicode": repair_unicode,
            "control": remove_control,
            "boilerplate": lambda text: remove_lines(text, self._boilerplate or {}),
            "whitespace": fold_whitespace,
        }
        self._repairs = [(name, rule) for name, rule in repairs.items() if getattr(rules, name)]
        self._tallies = {name: Tally() for name in [*repairs, "label", "languages", "min_characters", "max_characters"]}

    def learn(self, examples: Iterable[Example]) -> None:
        """The first pass of boilerplate: find the lines that stand in many of these rows. Does nothing without that rule."""
        if not self._rules.boilerplate:
            return
        self._boilerplate = None
        counter = BoilerplateCounter()
        for example in examples:
            counter.add(self._repair(text, {}) for text in _texts(example))
        self._boilerplate, self._learned_rows = counter.lines(), counter.rows

    def clean(self, example: Example) -> Example | RowFault:
        """The example repaired, the very same object where nothing was to be done, or why the row is left out.

        Raises:
            RuntimeError: boilerplate is asked for, and ``learn`` was never called.
        """
        if self._rules.boilerplate and self._boilerplate is None:
            raise RuntimeError("boilerplate is known only after Cleaner.learn")
        example = self._repaired(example)
        for rule, check in (("min_characters", self._too_short), ("max_characters", self._too_long), ("languages", self._foreign)):
            if reason := check(example):
                self._tallies[rule].add(example.row, example.text, show=lambda: self._may_show(example))
                return RowFault(example.row, f"{reason} (prepare.clean.{rule})", beginning(visible(example.text[:300])))
        return example

    def summary(self) -> list[RuleCount]:
        """What each rule that is on did so far, also where it found nothing."""
        on = [*(name for name, _ in self._repairs), "label", "languages", "min_characters", "max_characters"]
        if self._rules.languages is None:
            on.remove("languages")
        if self._rules.max_characters is None:
            on.remove("max_characters")
        lines = tuple(
            f"in {n} of {self._learned_rows} rows: {visible(self._quote(line)[:80])}" for line, n in (self._boilerplate or {}).items()
        )
        return [self._tallies[name].result(name, lines if name == "boilerplate" else ()) for name in on]

    def _repaired(self, example: Example) -> Example:
        changes: dict[str, tuple[str, str]] = {}
        done: dict[str, str] = {}  # the text of an instruct row is its first user turn: repaired once

        def repair(text: str) -> str:
            if text not in done:
                done[text] = self._repair(text, changes)
            return done[text]

        text, rejected = repair(example.text), repair(example.rejected)
        turns = tuple(turn if turn.role == "system" else _turn(turn, repair(turn.content)) for turn in example.messages)
        label = unicodedata.normalize("NFC", example.label.strip())
        if label != example.label:
            changes["label"] = (example.label, label)
        if not changes:
            return example
        cleaned = replace(example, text=text, rejected=rejected, messages=turns, label=label)
        for rule, (before, after) in changes.items():
            self._tallies[rule].add(example.row, before, after, lambda: self._may_show(cleaned))
        return cleaned

    def _may_show(self, example: Example) -> bool:
        return all(self._quote(text) == text for text in (example.label, *_texts(example)))

    def _repair(self, text: str, changes: dict[str, tuple[str, str]]) -> str:
        """Apply the repairs until none changes the text; note the first change of each rule."""
        while True:
            start = text
            for name, rule in self._repairs:
                before, text = text, rule(text)
                if text != before:
                    changes.setdefault(name, (before, text))
            if text == start:
                return text

    def _too_short(self, example: Example) -> str:
        least = self._rules.min_characters
        short = next((text for text in _texts(example) if len(text.strip()) < least), None)
        return "" if short is None else f"a text of {len(short.strip())} characters after cleaning, at least {least} are needed"

    def _too_long(self, example: Example) -> str:
        most = self._rules.max_characters
        longest = max((len(text) for text in _texts(example)), default=0)
        return f"a text of {longest:,} characters, at most {most:,} are allowed" if most is not None and longest > most else ""

    def _foreign(self, example: Example) -> str:
        if self._rules.languages is None:
            return ""
        found, probability = language("\n".join(_texts(example)))
        if found == UNKNOWN or found in self._rules.languages:
            return ""
        self._tallies["languages"].kinds[found] += 1
        return f"the language is {found} (probability {probability:.2f}), not {' or '.join(self._rules.languages)}"


def _texts(example: Example) -> Iterator[str]:
    """What is repaired and measured, each text once."""
    if not example.messages:
        yield example.text
    yield from (turn.content for turn in example.messages if turn.role != "system")
    if example.rejected:
        yield example.rejected


def _turn(turn: Message, content: str) -> Message:
    return turn if content is turn.content else Message(turn.role, content)
