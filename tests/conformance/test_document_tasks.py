"""What every document task promises; a new one is tested by being in the table, a model's with a model that quotes."""

from __future__ import annotations

import pytest

from hatrack.core.config_prepare import DocumentTasks
from hatrack.data.tasks.base import DOCUMENT_TASKS, TaskContext
from hatrack.data.tasks.document import Document, Section, read_document
from hatrack.data.tasks.sentences import sentences
from sample_documents import sample_documents

every_task = pytest.mark.parametrize("name", DOCUMENT_TASKS.names())


def quoting(conversations):
    """A model that keeps to the format of every task and answers with a sentence of the passage."""
    replies = []
    for conversation in conversations:
        prompt = conversation[-1].content
        passage = prompt.split("Passage:\n", 1)[1]
        first = sentences(passage)[0]
        replies.append(f"Question: {first}?\nAnswer: {first}" if "Question:" in prompt else f"Summary: {first}")
    return [reply.replace("\n\n", " ") for reply in replies]


def documents():
    return [read_document(row) for row in sample_documents()]


def pairs(name, given=None, seed=1, **settings):
    context = TaskContext(DocumentTasks(**settings), seed, quoting)
    return list(DOCUMENT_TASKS.get(name)().pairs(documents() if given is None else given, context))


@every_task
def test_contract_note_and_leaflet_all_give_rows_in_their_order(name):
    made = [pair.document.source for pair in pairs(name)]
    assert list(dict.fromkeys(made)) == ["contract.md", "leaflet.pdf", "note_fiscale.docx"]
    assert made == sorted(made)


@every_task
def test_an_answer_is_made_of_sentences_and_terms_of_its_document(name):
    for pair in pairs(name):
        pieces = sentences(pair.answer)
        assert pieces
        assert all(piece in pair.document.text for piece in pieces)
        assert pair.prompt.strip() == pair.prompt != pair.answer == pair.answer.strip()


@every_task
def test_nothing_is_random(name):
    assert pairs(name) == pairs(name)
    assert [pair.answer for pair in pairs(name)] == [pair.answer for pair in pairs(name, seed=99)]


@every_task
@pytest.mark.parametrize("limit", [1, 2])
def test_one_section_gives_at_most_so_many_rows(name, limit):
    for document in documents():
        for section in document.sections:
            alone = Document(document.title, document.text, (section,), document.source)
            assert len(pairs(name, [alone], per_section=limit, max_words=20)) <= limit


@every_task
def test_documents_do_not_depend_on_their_neighbours(name):
    assert pairs(name) == [pair for document in documents() for pair in pairs(name, [document])]


@every_task
@pytest.mark.parametrize("text", ["", "...", "\n\n\n", "no sentence", "()[]{}%s {title} {0}", "x " * 500, "“” means (A) : **"])
def test_odd_text_gives_nothing_or_rows_and_never_an_error(name, text):
    odd = Document("{odd} %s", text or "x", (Section("{heading}", 1, text, "{name}"),), "odd")
    for pair in pairs(name, [odd]):
        assert pair.answer in text or name in ("qa", "summary")
