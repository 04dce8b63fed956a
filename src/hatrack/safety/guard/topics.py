"""Topics by the words that mark them: whole words, in any case, with any white space between them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

__all__ = ["Topics"]


class Topics:
    """Finds which of some topics a text touches."""

    def __init__(self, topics: Mapping[str, Sequence[str]]) -> None:
        self._patterns = {name: _any_of(words) for name, words in topics.items() if words}

    def find(self, text: str) -> str | None:
        """The first topic that is touched."""
        return next((name for name, pattern in self._patterns.items() if pattern.search(text)), None)


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    phrases = (r"\s+".join(map(re.escape, word.split())) for word in words)
    return re.compile(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)", re.IGNORECASE)
