"""Task ``heading-question``: the question that a heading stands for, and the section as its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hatrack.data.tasks.base import Pair, TaskContext
from hatrack.data.tasks.document import Document
from hatrack.data.tasks.headings import question
from hatrack.data.tasks.passages import beginning, word_count
from hatrack.data.tasks.title_to_section import LEAST_WORDS

__all__ = ["HeadingQuestion"]


class HeadingQuestion:
    """The answer is the section's text, up to the last sentence that fits into ``max_words``."""

    def pairs(self, documents: Sequence[Document], context: TaskContext) -> Iterator[Pair]:
        for document in documents:
            for section in document.sections:
                answer = beginning(section.text, context.settings.max_words) if section.name else ""
                if word_count(answer) >= LEAST_WORDS:
                    yield Pair(question(section.name, document.title, document.language), answer, document)
