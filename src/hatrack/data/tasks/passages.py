"""Long texts in pieces that end where a section, a paragraph or a sentence ends."""

from __future__ import annotations

import re

from hatrack.data.tasks.sentences import sentence_spans

__all__ = ["beginning", "passages", "word_count"]

_WORD = re.compile(r"\S+")


def word_count(text: str) -> int:
    """How many words a reader would count: pieces between white space."""
    return len(text.split())


def passages(text: str, max_words: int) -> list[str]:
    """The whole text in pieces of at most ``max_words`` words, each a piece of ``text`` as it stands.

    A piece ends at a sentence; at the end of a paragraph where that leaves it at least half full. Only a sentence that
    is longer than ``max_words`` by itself is cut at a word.
    """
    pieces: list[tuple[int, int]] = []
    begin = end = words = 0
    for start, stop in _short_spans(text, max_words):
        more = word_count(text[start:stop])
        paragraph_ends = "\n\n" in text[end:start] and 2 * words >= max_words
        if words and (words + more > max_words or paragraph_ends):
            pieces.append((begin, end))
            words = 0
        if not words:
            begin = start
        end, words = stop, words + more
    if words:
        pieces.append((begin, end))
    return [text[start:stop] for start, stop in pieces]


def beginning(text: str, max_words: int) -> str:
    """As many whole sentences from the start as fit into ``max_words``; empty where not even the first does."""
    words, begin, end = 0, -1, -1
    for start, stop in sentence_spans(text):
        words += word_count(text[start:stop])
        if words > max_words:
            break
        begin, end = (start if begin < 0 else begin), stop
    return text[begin:end] if end >= 0 else ""


def _short_spans(text: str, max_words: int) -> list[tuple[int, int]]:
    """Sentences, the overlong ones cut at a word."""
    spans = []
    for start, stop in sentence_spans(text):
        words = list(_WORD.finditer(text, start, stop))
        for first in range(0, len(words), max_words):
            last = words[min(first + max_words, len(words)) - 1]
            spans.append((words[first].start(), last.end()))
    return spans
