"""Which languages the texts are in, on a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pydantic import Field

from hatrack.data.quality.record import Basis, Record

__all__ = ["Language", "Languages", "languages"]

Language = Callable[[str], tuple[str, float]]  # a text to its ISO 639-1 code and how probable that is

_LETTERS = 20  # in fewer no language can be told
_SURE = 0.8
_UNDETERMINED = "und"  # ISO 639-2: the recogniser cannot tell, however sure it is of that


class Languages(Record):
    """Texts by language."""

    basis: Basis = Field(description="Texts long enough to tell.")
    shares: dict[str, float] = Field(description="ISO 639-1 code to share, largest first; 'unsure' where the recogniser was.")


def languages(texts: Sequence[str], language: Language, of: int) -> Languages:
    """Recognise the language of each text that has enough letters; ``of`` is how many rows the texts stand for."""
    counts: Counter[str] = Counter()
    for text in texts:
        if sum(c.isalpha() for c in text) >= _LETTERS:
            code, probability = language(text)
            counts[code if code != _UNDETERMINED and probability >= _SURE else "unsure"] += 1
    told = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Languages(basis=Basis(rows=told, of=of), shares={code: count / told for code, count in ordered})
