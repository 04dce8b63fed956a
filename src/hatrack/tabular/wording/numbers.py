"""Numbers in a text, and whether one is a rounding of what is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Number", "numbers_in_text"]

_WORDS = {
    **{word: n for n, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve thirteen".split())},
    **{word: n for n, word in enumerate("fourteen fifteen sixteen seventeen eighteen nineteen".split(), 14)},
    **{word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)},
}
_TENS = "|".join(word for word, n in _WORDS.items() if n >= 20)
_ONES = "|".join(word for word, n in _WORDS.items() if 0 < n < 10)
_DIGITS = re.compile(r"(?<![\w.])[-+−]?(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(\s*(?:%|percent\b|per cent\b))?")
_SPELLED = re.compile(rf"\b(?:({_TENS})[- ]({_ONES})|({'|'.join(_WORDS)}))\b(\s*(?:%|percent\b|per cent\b))?", re.IGNORECASE)


@dataclass(frozen=True)
class Number:
    """A number as written: its size without a sign, how many decimals it has, and where it stands."""

    text: str
    value: float
    decimals: int
    percent: bool
    start: int
    end: int

    def rounds(self, fact: float) -> bool:
        """Whether this is ``fact``, rounded to as many digits as are written; the sign is said in words."""
        scale = 100.0 if self.percent else 1.0
        size, half = abs(fact) * scale, float(0.5 * 10**-self.decimals)
        return abs(size - self.value) <= half + 1e-9 * max(1.0, size)


def numbers_in_text(text: str) -> Iterator[Number]:
    """In digits (1,234.5, 27 %) and spelled out up to ninety-nine; "one" is mostly none and is left out."""
    for found in _DIGITS.finditer(text):
        whole, part, percent = found.groups()
        value = float(whole.replace(",", "") + (part or ""))
        yield Number(found.group().strip(), value, len(part) - 1 if part else 0, bool(percent), found.start(), found.end())
    for found in _SPELLED.finditer(text):
        tens, ones, single, percent = found.groups()
        value = _WORDS[tens.lower()] + _WORDS[ones.lower()] if tens else _WORDS[single.lower()]
        if value != 1 or percent:
            yield Number(found.group().strip(), float(value), 0, bool(percent), found.start(), found.end())
