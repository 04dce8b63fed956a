"""Documents to rows: each answer is in its document, each row knows its document, nothing is left to chance."""

from __future__ import annotations

import pytest

from hatrack.core.config_prepare import DocumentTasks
from hatrack.core.errors import DataFileError, RowErrors
from hatrack.data.records import RawRow
from hatrack.data.tasks.make_rows import complete_rows, make_rows
from hatrack.data.tasks.passages import word_count
from hatrack.data.tasks.phrasing import PHRASES
from hatrack.data.tasks.sentences import sentences
from sample_documents import document_row, sample_documents

SETTINGS = DocumentTasks(per_section=3)


def turns(row):
    return [turn["content"] for turn in row.columns["messages"]]


def made(documents, seed=1, **settings):
    return list(make_rows(documents, DocumentTasks(**settings), seed))


def of_kind(kind, documents=None, **settings):
    return [turns(row) for row in made(documents or sample_documents(), kinds=(kind,), **settings)]


def test_every_answer_stands_in_its_document_word_for_word():
    texts = {row.columns["source"]: row.columns["text"] for row in sample_documents()}
    rows = list(make_rows(sample_documents(), SETTINGS, 1))
    assert {row.columns["kind"] for row in rows} == set(SETTINGS.kinds)
    for row in rows:
        document = texts[row.columns["source"]]
        answer = turns(row)[1]
        pieces = sentences(answer) if row.columns["kind"] == "section-to-summary" else [answer]
        assert all(piece in document for piece in pieces), answer


def test_rows_are_numbered_and_carry_their_document_as_their_group():
    rows = list(make_rows(sample_documents(), SETTINGS, 1))
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert {row.columns["group"] for row in rows} == {"contract.md", "leaflet.pdf", "note_fiscale.docx"}
    assert all(row.columns["group"] == row.columns["source"] for row in rows)
    assert all([turn["role"] for turn in row.columns["messages"]] == ["user", "assistant"] for row in rows)


def test_the_seed_chooses_the_phrasings_and_nothing_else_does():
    first = made(sample_documents(), seed=1)
    assert first == made(sample_documents(), seed=1)
    other = made(sample_documents(), seed=2)
    assert [turns(row)[1] for row in first] == [turns(row)[1] for row in other]
    assert [turns(row)[0] for row in first] != [turns(row)[0] for row in other]


def test_all_phrasings_are_used_and_speak_the_language_of_the_document():
    prompts = [turns(row)[0] for seed in range(12) for row in made(sample_documents(), seed=seed, kinds=("title-to-section",))]
    openings = {kind: [text.split("{")[0] for text in PHRASES["title-to-section"][kind]] for kind in ("en", "fr", "de")}
    for language, used in (("en", True), ("fr", True), ("de", False)):
        assert all(any(prompt.startswith(opening) for prompt in prompts) is used for opening in openings[language])


def test_a_stub_and_a_section_without_a_name_of_its_own_are_not_asked_for():
    prompts = [prompt for prompt, _ in of_kind("title-to-section")]
    assert not any("Governing law" in prompt for prompt in prompts)
    assert not any("section “Hosting Agreement”" in prompt or "headed “Hosting" in prompt for prompt in prompts)
    assert any("“Notice (Termination)”" in prompt for prompt in prompts)


def test_a_long_section_ends_at_a_sentence():
    answers = [answer for _, answer in of_kind("title-to-section", max_words=40)]
    assert all(word_count(answer) <= 40 for answer in answers)
    assert "Either party may end the agreement by giving the other at least sixty days' written notice." in answers


def test_a_summary_is_one_or_two_sentences_of_the_prompt():
    rows = of_kind("section-to-summary")
    assert len(rows) == 3
    for prompt, answer in rows:
        assert len(sentences(answer)) in (1, 2)
        assert all(sentence in prompt for sentence in sentences(answer))
        assert 2 * word_count(answer) < word_count(prompt)


def test_the_summary_is_the_sentence_that_the_others_are_about():
    text = (
        "Before anything else, thank you for reading. The appeal must reach the court within one month. "
        "An appeal that reaches the court later than one month is refused. The weather was fine. Bring a pen with you to the desk. "
        "The court may extend the month for an appeal."
    )
    rows = of_kind("section-to-summary", [document_row(text, Appeal=text)])
    assert rows[0][1] == "The appeal must reach the court within one month."


def test_a_cloze_asks_for_the_term_and_never_shows_it():
    rows = of_kind("cloze", per_section=9)
    answers = {answer for _, answer in rows}
    assert {"Supplier", "Confidential Information", "SLA", "Foyer fiscal", "TVA", "Enfant à charge", "Headache", "GORD"} <= answers
    for prompt, answer in rows:
        assert prompt.count("_____") == 1
        assert answer.casefold() not in prompt.casefold()


def test_a_cloze_whose_answer_stands_elsewhere_in_the_prompt_is_dropped():
    text = "“Order” means what the Customer orders, and each Order binds both of the parties."
    other = "“Goods” means what the Customer orders and the Supplier then delivers to him."
    rows = of_kind("cloze", [document_row(text + "\n\n" + other)], per_section=2)
    assert [answer for _, answer in rows] == ["Goods"]


@pytest.mark.parametrize("limit", [1, 2])
def test_at_most_so_many_rows_of_a_kind_come_from_a_section(limit):
    contract = sample_documents()[:1]
    assert len([answer for _, answer in of_kind("cloze", contract, per_section=limit)]) == 1 + limit


def test_one_prompt_has_one_answer():
    leaflets = [
        document_row("x", title="Leaflet", source=f"{i}.pdf", How_to_take_the_leaflet=f"Take number {i} of them every day at noon.")
        for i in (1, 2)
    ]
    assert of_kind("heading-question", leaflets) == [["How do I take the leaflet?", "Take number 1 of them every day at noon."]]


def test_more_documents_than_are_worked_on_at_once_are_all_used():
    documents = [
        document_row("x", title=f"Guide {i}", source=f"{i}.md", Scope=f"This guide number {i} is for all of the staff.") for i in range(40)
    ]
    rows = made(iter(documents), kinds=("title-to-section",))
    assert [row.columns["source"] for row in rows] == [f"{i}.md" for i in range(40)]


def test_documents_that_give_no_row_are_refused():
    with pytest.raises(DataFileError, match="no training row could be made") as refused:
        made([document_row("Nothing here.")])
    assert "title-to-section" in refused.value.given


def test_a_row_that_is_no_document_is_refused():
    with pytest.raises(RowErrors, match="a document cannot be used"):
        made([RawRow(3, {"title": "x"})])


def test_plain_rows_are_the_document_in_pieces_of_its_sections():
    rows = list(complete_rows(sample_documents(), 30))
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    for source in ("contract.md", "leaflet.pdf", "note_fiscale.docx"):
        pieces = [row.columns["text"] for row in rows if row.columns["group"] == source]
        document = next(row.columns["text"] for row in sample_documents() if row.columns["source"] == source)
        assert "".join("".join(pieces).split()) == "".join(document.split())
        assert all(piece in document for piece in pieces)
    assert any(row.columns["text"].startswith("3. Termination\n\nEither party") for row in rows)
