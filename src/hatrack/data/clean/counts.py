"""What cleaning did: how many rows each rule touched, with a few of them to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Change", "RuleCount", "Tally", "visible"]

_EXAMPLES = 5
_WIDTH, _LEAD = 80, 20
_TRIED = 50  # rows that may be looked through for one that can be shown


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one row: the place where the text differs, before and after; ``after`` is empty for a rejected row."""

    row: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule's work.

    Attributes:
        rule: its key under ``prepare.clean``, or ``label``.
        rows: rows that it changed or rejected.
        examples: the first of them.
        notes: what the examples do not show: the lines that are boilerplate, the languages that were rejected.
    """

    rule: str
    rows: int
    examples: tuple[Change, ...]
    notes: tuple[str, ...] = ()


@dataclass
class Tally:
    """A rule's count while it grows."""

    rows: int = 0
    examples: list[Change] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    _asked: int = 0

    def add(self, row: int, before: str, after: str = "", show: Callable[[], bool] = lambda: True) -> None:
        """Count a row; keep the place where it changed if it is one of the first that ``show`` allows to be shown."""
        self.rows += 1
        if len(self.examples) < _EXAMPLES and self._asked < _TRIED:
            self._asked += 1
            if not show():
                return
            pairs = enumerate(zip(before, after, strict=False))
            same = next((i for i, (old, new) in pairs if old != new), min(len(before), len(after)))
            start = max(0, same - _LEAD)
            self.examples.append(Change(row, *(visible(text[start : start + _WIDTH]) for text in (before, after))))

    def result(self, rule: str, notes: tuple[str, ...] = ()) -> RuleCount:
        """The count as it stands, with a note for each kind that was counted."""
        kinds = sorted(self.kinds.items(), key=lambda item: (-item[1], item[0]))
        return RuleCount(rule, self.rows, tuple(self.examples), (*notes, *(f"{kind}: {count}" for kind, count in kinds)))


def visible(text: str) -> str:
    r"""Text on one line in which nothing hides: what is not printable is written as ``\n``, ``\x1b``, ``\u200b``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
