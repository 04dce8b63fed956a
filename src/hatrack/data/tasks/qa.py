"""Task ``qa``: a model writes a question and its answer from a passage; kept where the passage supports the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hatrack.core.chat import Message
from hatrack.data.tasks.base import Pair, TaskContext
from hatrack.data.tasks.document import Document
from hatrack.data.tasks.passages import passages, word_count
from hatrack.data.tasks.support import missing_support
from hatrack.data.tasks.title_to_section import LEAST_WORDS
from hatrack.data.tasks.words import content_words, folded_words

__all__ = ["QuestionAnswer"]

_PROMPT = """Read the passage from “{title}”. Write one question that it answers, and the answer in one sentence.
Use only what the passage says, in its language and its words. Reply with exactly two lines:
Question: ...
Answer: ...

Passage:
{passage}"""
_SHOWN = (
    Message(
        "user",
        _PROMPT.format(title="Library rules", passage="A reader may borrow up to six books at a time. Each is returned after four weeks."),
    ),
    Message("assistant", "Question: How many books may a reader borrow?\nAnswer: A reader may borrow up to six books at a time."),
)
_REPLY = re.compile(r"Question:[ \t]*(?P<question>\S[^\n]*)\n\s*Answer:[ \t]*(?P<answer>\S[^\n]*)")


class QuestionAnswer:
    """The row asks the question alone, without the passage: what is learned is the document."""

    def pairs(self, documents: Sequence[Document], context: TaskContext) -> Iterator[Pair]:
        asked = [(document, passage) for document in documents for passage in _passages(document, context)]
        replies = context.ask("qa", [_PROMPT.format(title=document.title, passage=passage) for document, passage in asked], _SHOWN)
        for (document, passage), reply in zip(asked, replies, strict=True):
            match = _REPLY.fullmatch(reply.strip())
            question, answer = (match["question"].strip(), match["answer"].strip()) if match else ("", "")
            reason = _reason(question, answer, passage, context.settings.support) if match else "not in the format"
            context.report.add("qa", reply, reason, parsed=match is not None)
            if not reason:
                yield Pair(question, answer, document)


def _passages(document: Document, context: TaskContext) -> Iterator[str]:
    for section in document.sections:
        pieces = passages(section.text, context.settings.max_words)
        yield from [piece for piece in pieces if word_count(piece) >= LEAST_WORDS][: context.settings.per_section]


def _reason(question: str, answer: str, passage: str, share: float) -> str:
    if not question.endswith(("?", "？")):
        return "a question without a question mark"
    if answer.endswith(("?", "？")):
        return "an answer that is a question"
    if not set(content_words(question)) & set(folded_words(passage)):
        return "a question about nothing in the passage"
    return missing_support(answer, passage, share)
