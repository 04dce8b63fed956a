"""How much the rows differ in their words, and how many of them say what another row has said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from hatrack.data.quality.record import Basis, Record
from hatrack.data.records import Example, normalised

__all__ = ["Distinct", "Diversity", "RepeatCounter", "Repeats", "distinct", "diversity"]

_WORDS = 500_000  # distinct-n falls as texts are added: only figures over about as many words can be compared


class Distinct(Record):
    """Different n-grams over all n-grams of words, between 0 and 1 (distinct-n, Li et al. 2016)."""

    words: int = Field(description="Words looked at; the figures fall as this grows.")
    one: float
    two: float
    three: float


class Diversity(Record):
    """Variety of the words."""

    basis: Basis
    texts: Distinct
    answers: Distinct | None = Field(description="None where the answers are labels or there are none.")


class Repeats(Record):
    """Rows that repeat an earlier one."""

    exact: int = Field(description="Equal to an earlier row but for case, punctuation and white space.")
    exact_share: float
    near: int | None = Field(description="In one cluster with an earlier row, and equal to none; null: not looked for.")
    near_share: float | None


class RepeatCounter:
    """Counts repeated rows as they pass by; a hash of each different row is kept.

    Args:
        roots: for each row the ordinal of the first row of its cluster of near-duplicates; None where that is unknown.
    """

    def __init__(self, roots: Sequence[int] | None) -> None:
        self._roots = roots
        self._texts: set[int] = set()
        self._rows = self._exact = self._near = 0

    def see(self, ordinal: int, split: str, example: Example) -> None:
        """Count one row; answers of conversations count as part of it, labels do not: they may contradict each other."""
        said = [turn.content for turn in example.messages] or [example.text]
        form = hash(normalised("\n".join(said)))
        if form in self._texts:
            self._exact += 1
        elif self._roots is not None and self._roots[ordinal] < ordinal:
            self._near += 1
        self._texts.add(form)
        self._rows += 1

    def repeats(self) -> Repeats:
        """What was counted."""
        rows, known = max(self._rows, 1), self._roots is not None
        return Repeats(
            exact=self._exact,
            exact_share=self._exact / rows,
            near=self._near if known else None,
            near_share=self._near / rows if known else None,
        )


def diversity(texts: Sequence[str], answers: Sequence[str], basis: Basis) -> Diversity:
    """Distinct-n of the texts, and of the answers where there are any."""
    return Diversity(basis=basis, texts=distinct(texts), answers=distinct(answers) if any(answers) else None)


def distinct(texts: Iterable[str]) -> Distinct:
    """Distinct-1, -2 and -3 over the first half million words; n-grams do not reach from one text into the next."""
    seen: tuple[set[int], ...] = (set(), set(), set())
    counts = [0, 0, 0]
    for text in texts:
        words = text.casefold().split()
        for n in (1, 2, 3):
            grams = [hash(tuple(words[i : i + n])) for i in range(len(words) - n + 1)]
            seen[n - 1].update(grams)
            counts[n - 1] += len(grams)
        if counts[0] >= _WORDS:
            break
    one, two, three = (len(grams) / max(count, 1) for grams, count in zip(seen, counts, strict=True))
    return Distinct(words=counts[0], one=one, two=two, three=three)
