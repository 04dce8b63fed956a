"""A document is checked where it enters; its sections have names that can be asked for."""

from __future__ import annotations

import pytest

from hatrack.core.errors import RowErrors
from hatrack.data.records import RawRow
from hatrack.data.tasks.document import read_document


def names(*headings, title="Handbook"):
    parts = [{"heading": heading, "level": level, "text": "x"} for level, heading in headings]
    return [section.name for section in read_document(RawRow(1, {"text": "x", "title": title, "sections": parts})).sections]


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("3.2 Termination", "Termination"),
        ("1) Fees:", "Fees"),
        ("(a) Fees", "Fees"),
        ("IV. Scope", "Scope"),
        ("Article 5 – Durée", "Durée"),
        ("Annexe A - Prix", "Prix"),
        ("§ 4 Kündigung", "Kündigung"),
        ("Section 3: What is due?", "What is due?"),
        ("A better way", "A better way"),
        ("I am here", "I am here"),
        ("12 Angry Men", "12 Angry Men"),
        ("Article L. 123", "Article L. 123"),
        ("X-ray", "X-ray"),
        ("Clause 7", "Clause 7"),
        ("  two\n lines ", "two lines"),
    ],
)
def test_a_name_is_the_heading_without_its_number(heading, name):
    assert names((1, heading)) == [name]


def test_a_heading_that_stands_twice_is_named_with_its_parent_or_not_at_all():
    assert names((1, "Drugs"), (2, "Dose"), (1, "Diet"), (2, "Dose")) == ["Drugs", "Dose (Drugs)", "Diet", "Dose (Diet)"]
    assert names((1, "Dose"), (1, "Dose"), (1, "Diet")) == ["", "", "Diet"]


def test_the_title_of_the_document_is_no_name_of_a_section():
    assert names((1, "Handbook"), (2, "Dose"), title="handbook") == ["", "Dose"]


def test_only_the_text_is_needed():
    document = read_document(RawRow(4, {"text": "Some text.", "source": "a/leaflet.pdf"}))
    assert (document.title, document.source) == ("leaflet", "a/leaflet.pdf")
    assert [(section.name, section.text) for section in document.sections] == [("", "Some text.")]
    assert read_document(RawRow(4, {"text": "x"})).source == "document 4"


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({}, "holds no text"),
        ({"text": " "}, "holds no text"),
        ({"text": "x", "sections": "y"}, "list"),
        ({"text": "x", "sections": ["y"]}, "list"),
    ],
)
def test_what_is_no_document_is_refused_with_its_number(columns, reason):
    with pytest.raises(RowErrors) as refused:
        read_document(RawRow(7, columns))
    assert refused.value.rows[0][0] == 7
    assert reason in refused.value.rows[0][1]


def test_the_language_is_that_of_the_text():
    assert read_document(RawRow(1, {"text": "Le locataire paie son loyer le premier jour de chaque mois."})).language == "fr"
