"""Task ``section-to-summary``: the one or two sentences that say most of a section, taken from it word for word.

The score of a sentence is its centrality (the sum of its similarities to the others, after the first step of TextRank,
Mihalcea and Tarau 2004, divided by the largest such sum) plus its closeness to the beginning, from 1 for the first
sentence down to 0. Similarity is the number of common content words, divided by the sum of the logarithms of the two
sentences' numbers of content words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from hatrack.data.tasks.base import Pair, TaskContext
from hatrack.data.tasks.document import Document
from hatrack.data.tasks.passages import beginning, word_count
from hatrack.data.tasks.phrasing import phrase
from hatrack.data.tasks.sentences import sentences
from hatrack.data.tasks.words import content_words

__all__ = ["SectionToSummary", "lead_sentences"]

_FEWEST_SENTENCES = 4  # of fewer there is nothing to choose
_TWO_FROM = 7
_WORDS = range(6, 50)  # a sentence outside is a heading, an item of a list, or no summary


class SectionToSummary:
    """The prompt holds the section, cut at ``max_words``; the answer is drawn from what the prompt holds."""

    def pairs(self, documents: Sequence[Document], context: TaskContext) -> Iterator[Pair]:
        for document in documents:
            for section in document.sections:
                text = beginning(section.text, context.settings.max_words)
                answer = " ".join(lead_sentences(text))
                if answer and 2 * word_count(answer) <= word_count(text):
                    yield Pair(phrase("summary", document.language, context.seed, text=text), answer, document)


def lead_sentences(text: str) -> list[str]:
    """The best sentence of a text, or the best two of a longer one, in their order; none where the text is short."""
    candidates = [sentence for sentence in sentences(text) if word_count(sentence) in _WORDS and sentence[-1] in ".!…»”"]
    if len(candidates) < _FEWEST_SENTENCES:
        return []
    words = [set(content_words(sentence)) for sentence in candidates]
    sums = [sum(_similarity(one, other) for j, other in enumerate(words) if j != i) for i, one in enumerate(words)]
    largest = max(sums) or 1.0
    scores = [total / largest + 1 - i / len(candidates) for i, total in enumerate(sums)]
    count = 2 if len(candidates) >= _TWO_FROM else 1
    best = sorted(range(len(candidates)), key=lambda i: (-scores[i], i))[:count]
    return [candidates[i] for i in sorted(best)]


def _similarity(one: set[str], other: set[str]) -> float:
    size = math.log(max(len(one), 1)) + math.log(max(len(other), 1))
    return len(one & other) / size if size > 0 else 0.0
