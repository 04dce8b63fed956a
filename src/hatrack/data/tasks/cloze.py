"""Task ``cloze``: the sentence that defines a term, with the term left blank."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from hatrack.data.tasks.base import Pair, TaskContext
from hatrack.data.tasks.document import Document, Section
from hatrack.data.tasks.passages import word_count
from hatrack.data.tasks.phrasing import phrase
from hatrack.data.tasks.terms import defined_terms

__all__ = ["Cloze"]

_BLANK = "_____"


class Cloze:
    """The answer is the term as it is written. Where it stands anywhere else in the prompt, the row would only teach to copy: dropped."""

    def pairs(self, documents: Sequence[Document], context: TaskContext) -> Iterator[Pair]:
        for document in documents:
            for section in document.sections:
                yield from islice(_of_section(document, section, context), context.settings.per_section)


def _of_section(document: Document, section: Section, context: TaskContext) -> Iterator[Pair]:
    for term in defined_terms(section.text, section.name):
        if word_count(term.sentence) > context.settings.max_words:
            continue
        blanked = term.sentence[: term.start] + _BLANK + term.sentence[term.end :]
        prompt = phrase("cloze", document.language, context.seed, sentence=blanked, title=document.title)
        if not re.search(rf"(?<!\w){re.escape(term.text)}(?!\w)", prompt, re.IGNORECASE):
            yield Pair(prompt, term.text, document)
