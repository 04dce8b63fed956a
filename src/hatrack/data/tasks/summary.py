"""Task ``summary``: a model summarises a section; kept where the section supports the summary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hatrack.core.chat import Message
from hatrack.data.tasks.base import Pair, TaskContext
from hatrack.data.tasks.document import Document
from hatrack.data.tasks.passages import beginning, word_count
from hatrack.data.tasks.phrasing import phrase
from hatrack.data.tasks.support import missing_support

__all__ = ["WrittenSummary"]

_LEAST_WORDS = 40  # a shorter text is its own summary
_PROMPT = """Summarise the passage from “{title}” in one or two sentences, in its language and its words.
Reply with exactly one line:
Summary: ...

Passage:
{passage}"""
_RULES = "A reader may borrow up to six books at a time. Each is returned after four weeks. Whoever is late pays a fee for each day."
_SHOWN = (
    Message("user", _PROMPT.format(title="Library rules", passage=_RULES)),
    Message("assistant", "Summary: A reader may borrow up to six books for four weeks, and pays a fee for each day that he is late."),
)
_REPLY = re.compile(r"Summary:[ \t]*(?P<summary>\S[^\n]*)")


class WrittenSummary:
    """The row holds the section, cut at ``max_words``, and asks for its summary."""

    def pairs(self, documents: Sequence[Document], context: TaskContext) -> Iterator[Pair]:
        texts = [(doc, beginning(section.text, context.settings.max_words)) for doc in documents for section in doc.sections]
        asked = [(document, text) for document, text in texts if word_count(text) >= _LEAST_WORDS]
        replies = context.ask("summary", [_PROMPT.format(title=document.title, passage=text) for document, text in asked], _SHOWN)
        for (document, text), reply in zip(asked, replies, strict=True):
            match = _REPLY.fullmatch(reply.strip())
            summary = match["summary"].strip() if match else ""
            reason = _reason(summary, text, context.settings.support) if match else "not in the format"
            context.report.add("summary", reply, reason, parsed=match is not None)
            if not reason:
                yield Pair(phrase("summary", document.language, context.seed, text=text), summary, document)


def _reason(summary: str, text: str, share: float) -> str:
    if 2 * word_count(summary) > word_count(text):
        return "a summary of more than half of the text"
    return missing_support(summary, text, share)
