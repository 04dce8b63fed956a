"""Citations that are checked: does source [n] exist, and do its words support the sentence?

    "Cards cost 5 EUR [2]. They are blue [7]."  ─►  sentence 1: [2] supports it
                                                    sentence 2: [7] is not there, nothing supports it

The check compares words, as ``hatrack.data.tasks.support`` does: it finds what was invented and not what was turned round.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hatrack.data.tasks.sentences import sentences
from hatrack.data.tasks.support import missing_support

__all__ = ["CheckedAnswer", "CheckedSentence", "check_answer", "without_markers"]

_MARKER = re.compile(r"\s*\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_SHARE = 0.6  # of a sentence's content words that a source must hold


@dataclass(frozen=True)
class CheckedSentence:
    """A sentence without its markers.

    Attributes:
        cited: numbers it names that exist.
        missing: numbers it names that do not.
        supported: numbers whose source supports it: of those cited, or, where it cites none, of all.
    """

    text: str
    cited: tuple[int, ...]
    missing: tuple[int, ...]
    supported: tuple[int, ...]


@dataclass(frozen=True)
class CheckedAnswer:
    """Every sentence of an answer, and what follows for the whole."""

    sentences: tuple[CheckedSentence, ...]

    @property
    def cited(self) -> tuple[int, ...]:
        """Sources that an answer rests on: cited or found to support a sentence, ascending."""
        return tuple(sorted({number for one in self.sentences for number in (*one.cited, *one.supported)}))

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers that name no source."""
        return tuple(sorted({number for one in self.sentences for number in one.missing}))

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Sentences that no source supports."""
        return tuple(one.text for one in self.sentences if not one.supported)

    @property
    def grounded(self) -> bool:
        """Whether every sentence is supported by a source that exists, and nothing else is cited."""
        return bool(self.sentences) and not self.unsupported and not self.missing


def check_answer(answer: str, sources: Sequence[str]) -> CheckedAnswer:
    """Check each sentence of an answer against numbered sources.

    Args:
        sources: texts; the first one is [1].
    """
    checked = []
    # a marker behind the full stop belongs to the sentence before it
    for sentence in sentences(re.sub(r"([.!?])((?:\s*\[[\d,\s]+\])+)", r"\2\1", answer)):
        named = [int(number) for found in _MARKER.findall(sentence) for number in found.split(",")]
        text = without_markers(sentence)
        if not text.strip(" .!?"):
            continue
        cited = tuple(dict.fromkeys(number for number in named if 1 <= number <= len(sources)))
        missing = tuple(dict.fromkeys(number for number in named if number not in cited))
        looked_at = cited or range(1, len(sources) + 1)
        supported = tuple(number for number in looked_at if not missing_support(text, sources[number - 1], _SHARE))
        checked.append(CheckedSentence(text, cited, missing, supported))
    return CheckedAnswer(tuple(checked))


def without_markers(text: str) -> str:
    """The text as it reads without ``[n]``."""
    return _MARKER.sub("", text).strip()
