"""Headings become questions by their shape, in English, French and German."""

from __future__ import annotations

import pytest

from hatrack.data.tasks.headings import question

TITLE = {"en": "Tablet guide", "fr": "Guide du foyer", "de": "Handbuch Miete"}


@pytest.mark.parametrize(
    ("language", "name", "asked"),
    [
        ("en", "What is a tablet?", "What is a tablet?"),
        ("en", "When to see a doctor", "“Tablet guide”: When to see a doctor?"),
        ("en", "How to store a tablet", "How do I store a tablet?"),
        ("en", "How to file VAT", "“Tablet guide”: How do I file VAT?"),
        ("en", "Cancelling an order", "What does “Tablet guide” say about cancelling an order?"),
        ("en", "Housing benefit", "What does “Tablet guide” say about “Housing benefit”?"),
        ("en", "VAT rates", "What does “Tablet guide” say about “VAT rates”?"),
        ("fr", "Qui est concerné ?", "« Guide du foyer » : Qui est concerné ?"),
        ("fr", "Comment déclarer le foyer", "Comment déclarer le foyer ?"),
        ("fr", "Déclarer ses revenus", "Comment déclarer ses revenus selon « Guide du foyer » ?"),
        ("fr", "Mer du Nord", "Que dit « Guide du foyer » au sujet de « Mer du Nord » ?"),
        ("de", "Wie hoch ist die Miete", "Wie hoch ist die Miete?"),
        ("de", "Fristen", "Was sagt „Handbuch Miete“ zu „Fristen“?"),
    ],
)
def test_a_heading_becomes_the_question_it_answers(language, name, asked):
    assert question(name, TITLE[language], language) == asked


@pytest.mark.parametrize("language", ["es", "und"])
def test_another_language_is_asked_in_english(language):
    assert question("Plazo", "Guía", language) == "What does “Guía” say about “Plazo”?"
