"""Which labels there are, how unevenly rows are spread over them, and which of them are meant to be one."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from pydantic import Field

from hatrack.data.quality.record import Record
from hatrack.data.records import Example

__all__ = ["FEW_PER_LABEL", "LabelBalance", "LabelCount", "LabelCounter", "alike"]

FEW_PER_LABEL = 10  # training rows below which a label is called thin
_SHORTEST = 5  # letters of a word in which one wrong letter is a slip and not another word


class LabelCount(Record):
    """Rows of one label in each split."""

    label: str
    train: int
    validation: int
    test: int


class LabelBalance(Record):
    """The labels, largest first."""

    labels: tuple[LabelCount, ...]
    ratio: float = Field(description="Training rows of the largest label over those of the smallest that has any.")
    effective: float = Field(description="Effective number of labels: exp of the entropy of their shares (Hill 1973).")
    thin: tuple[str, ...] = Field(description=f"Labels with fewer than {FEW_PER_LABEL} training rows.")
    missing: dict[str, tuple[str, ...]] = Field(description="For each split, the labels that have no row in it.")
    alike: tuple[tuple[str, ...], ...] = Field(description="Labels that differ by case, punctuation, a plural or one letter.")


class LabelCounter:
    """Counts labels as rows pass by."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in ("train", "validation", "test")}

    def see(self, ordinal: int, split: str, example: Example) -> None:
        """Count one row."""
        self._counts[split][example.label] += 1

    def balance(self, labels: Sequence[str]) -> LabelBalance:
        """The figures over ``labels``: all that may occur, also those that nobody taught."""
        train = self._counts["train"]
        ordered = sorted(labels, key=lambda label: (-train[label], label))
        taught = [train[label] for label in ordered if train[label]]
        shares = [count / sum(taught) for count in taught]
        return LabelBalance(
            labels=tuple(LabelCount(label=label, **{split: counts[label] for split, counts in self._counts.items()}) for label in ordered),
            ratio=max(taught) / min(taught),
            effective=math.exp(-sum(share * math.log(share) for share in shares)),
            thin=tuple(label for label in ordered if train[label] < FEW_PER_LABEL),
            missing={split: tuple(label for label in ordered if not counts[label]) for split, counts in self._counts.items()},
            alike=alike(ordered),
        )


def alike(labels: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of labels that are probably one: ``Refund`` and ``refunds``, ``card payment`` and ``card_payement``.

    Two are alike when they are equal without case, accents, punctuation and a plural's s, or when one word of at least
    five letters differs by one edit (a letter more, less, other, or two swapped). The first letter does not count:
    ``typical`` and ``atypical`` are no slip. Keys of all deletions find the pairs without comparing all (SymSpell's idea).
    """
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for label in dict.fromkeys(labels):
        for key in _keys(_plain(label)):
            groups[key].append(label)
    root: dict[str, str] = {}

    def find(label: str) -> str:
        while root.setdefault(label, label) != label:
            label = root[label]
        return label

    for members in groups.values():
        for other in members[1:]:
            first, second = sorted((find(members[0]), find(other)))
            root[second] = first
    found: dict[str, list[str]] = defaultdict(list)
    for label in root:
        found[find(label)].append(label)
    return tuple(sorted(tuple(sorted(group)) for group in found.values() if len(group) > 1))


def _plain(label: str) -> tuple[str, ...]:
    letters = "".join(c for c in unicodedata.normalize("NFKD", label.casefold()) if not unicodedata.combining(c))
    words = "".join(c if c.isalnum() else " " for c in letters).split()
    return tuple(word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words) or (label,)


def _keys(words: tuple[str, ...]) -> set[tuple[str, ...]]:
    keys = {words}
    for i, word in enumerate(words):
        if len(word) >= _SHORTEST and word.isalpha():
            keys |= {(*words[:i], f"{word[:k]}{word[k + 1 :]}", *words[i + 1 :], f"{i}") for k in range(1, len(word))}
            keys.add((*words[:i], word, *words[i + 1 :], f"{i}"))
    return keys
