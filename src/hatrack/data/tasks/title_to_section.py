"""Task ``title-to-section``: asked for a section of a document by its name, write it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hatrack.data.tasks.base import Pair, TaskContext
from hatrack.data.tasks.document import Document
from hatrack.data.tasks.passages import beginning, word_count
from hatrack.data.tasks.phrasing import phrase

__all__ = ["LEAST_WORDS", "TitleToSection"]

LEAST_WORDS = 8  # a section with fewer is a stub or a line of a table


class TitleToSection:
    """The answer is the section's text, up to the last sentence that fits into ``max_words``."""

    def pairs(self, documents: Sequence[Document], context: TaskContext) -> Iterator[Pair]:
        for document in documents:
            for section in document.sections:
                answer = beginning(section.text, context.settings.max_words) if section.name else ""
                if word_count(answer) >= LEAST_WORDS:
                    prompt = phrase("title-to-section", document.language, context.seed, name=section.name, title=document.title)
                    yield Pair(prompt, answer, document)
