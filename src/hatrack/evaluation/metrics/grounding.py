"""Answers from given texts: are the right sources cited, and is every sentence supported by what was given?"""

from __future__ import annotations

import re

import numpy as np

from hatrack.evaluation.metrics.base import Answers, Rows

__all__ = ["SUPPORT", "CitationRecall", "Groundedness", "sentences", "supported"]

SUPPORT = 0.7  # of a sentence's content words that must stand in the context
_SHORT = 4  # letters from which a word carries content
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


class CitationRecall:
    """Share of all expected sources that the answers name, each as a word of its own: "[F1234]", "(doc-7)", "Art. 5"."""

    name = "citation_recall"
    right_or_wrong = False
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return answers.sources is not None and any(answers.sources)

    def rows(self, answers: Answers) -> Rows:
        pairs = zip(answers.given, answers.sources or (), strict=True)
        return np.array([[sum(_names(given, source) for source in sources), len(sources)] for given, sources in pairs], float)

    def total(self, rows: Rows) -> float:
        wanted = rows[:, 1].sum()
        return float(rows[:, 0].sum() / wanted) if wanted else 1.0


class Groundedness:
    """Share of the answers' sentences that the given context supports.

    The method is lexical: at least ``SUPPORT`` of a sentence's content words (four letters or more, and every number)
    stand in the context, and all of its numbers do. It sees invented names and figures, and takes a faithful paraphrase
    in other words for unsupported; it does not see a denial.
    """

    name = "groundedness"
    right_or_wrong = False
    higher_is_better = True

    def applies(self, answers: Answers) -> bool:
        return answers.contexts is not None and not answers.labels

    def rows(self, answers: Answers) -> Rows:
        found = []
        for given, context in zip(answers.given, answers.contexts or (), strict=True):
            parts, known = sentences(given), set(_words(context))
            found.append([sum(supported(part, known) for part in parts), len(parts)])
        return np.array(found, float)

    def total(self, rows: Rows) -> float:
        said = rows[:, 1].sum()
        return float(rows[:, 0].sum() / said) if said else 1.0


def sentences(text: str) -> list[str]:
    """Sentences that say something: those with a content word."""
    return [part for part in _SENTENCE.split(text) if _content(part)]


def supported(sentence: str, known: set[str]) -> bool:
    """Whether the words ``known`` of a context support a sentence."""
    content = _content(sentence)
    if any(word not in known for word in content if word[0].isdigit()):
        return False
    return sum(word in known for word in content) >= SUPPORT * len(content)


def _content(text: str) -> list[str]:
    return [word for word in _words(text) if len(word) >= _SHORT or word[0].isdigit()]


def _words(text: str) -> list[str]:
    return re.findall(r"\d+(?:[.,]\d+)*|[^\W\d_]+", text.casefold())


def _names(text: str, source: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(source)}(?!\w)", text, re.IGNORECASE) is not None
