"""Documents to rows: the one entrance. Instruct rows by the tasks of the settings, plain rows for task complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from hatrack.core.config_prepare import DocumentTasks
from hatrack.core.digest import sha256_text
from hatrack.core.errors import DataFileError
from hatrack.data.records import RawRow
from hatrack.data.tasks.base import DOCUMENT_TASKS, TaskContext, TextGenerator
from hatrack.data.tasks.document import Document, read_document
from hatrack.data.tasks.passages import passages
from hatrack.data.tasks.support import SupportReport

__all__ = ["complete_rows", "make_rows"]

_TOGETHER = 16  # documents; a model answers the prompts of so many in its batches


def make_rows(
    documents: Iterable[RawRow],
    settings: DocumentTasks,
    seed: int,
    generator: TextGenerator | None = None,
    report: SupportReport | None = None,
) -> Iterator[RawRow]:
    """Rows with the columns ``messages``, ``source``, ``group`` and ``kind``, numbered from 1.

    All rows of a document have its source as their group, so that no document stands in two splits. The same documents,
    settings and seed give the same rows. A prompt that was already asked is not asked again with another answer.

    Args:
        generator: writes ``qa`` and ``summary``.
        report: is filled with what became of its replies; complete when the iterator is at its end.

    Raises:
        RowErrors: a row is no document.
        ConfigError: qa or summary without a generator.
        DataFileError: the documents gave no row at all.
    """
    context = TaskContext(settings, seed, generator, report if report is not None else SupportReport())
    asked: set[str] = set()
    count = 0
    for batch in _batches(documents):
        for kind in settings.kinds:
            for pair in DOCUMENT_TASKS.get(kind)().pairs(batch, context):
                digest = sha256_text(pair.prompt)
                if digest in asked:
                    continue
                asked.add(digest)
                turns = [{"role": "user", "content": pair.prompt}, {"role": "assistant", "content": pair.answer}]
                yield _row(count := count + 1, pair.document, kind, messages=turns)
    if not count:
        reasons = "; ".join(context.report.lines())
        raise DataFileError(
            "no training row could be made from these documents",
            given=f"kinds {', '.join(settings.kinds)}" + (f"; {reasons}" if reasons else ""),
            allowed="documents with headings and whole sentences below them, or with defined terms",
            fix="choose other prepare.documents.kinds, or set task: complete to learn the plain text",
        )


def complete_rows(documents: Iterable[RawRow], max_words: int) -> Iterator[RawRow]:
    """Plain text for task complete: columns ``text``, ``source``, ``group`` and ``kind``, numbered from 1.

    No row reaches over the end of a section. The first of a section begins with its heading, which comes on top of
    ``max_words``.

    Raises:
        RowErrors: a row is no document.
    """
    count = 0
    for row in documents:
        document = read_document(row)
        for section in document.sections:
            for position, passage in enumerate(passages(section.text, max_words)):
                text = f"{section.heading}\n\n{passage}" if section.heading and not position else passage
                yield _row(count := count + 1, document, "complete", text=text)


def _batches(documents: Iterable[RawRow]) -> Iterator[Sequence[Document]]:
    rows = iter(documents)
    while batch := [read_document(row) for row in islice(rows, _TOGETHER)]:
        yield batch


def _row(number: int, document: Document, kind: str, **columns: Any) -> RawRow:
    return RawRow(number, {**columns, "source": document.source, "group": document.source, "kind": kind})
