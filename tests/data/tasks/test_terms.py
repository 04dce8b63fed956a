"""Defined terms are found where a text defines them, and only there."""

from __future__ import annotations

import pytest

from hatrack.data.tasks.terms import defined_terms


def terms(text, heading=""):
    found = list(defined_terms(text, heading))
    assert all(term.sentence[term.start : term.end] == term.text and term.sentence in text for term in found)
    return [term.text for term in found]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("“Confidential Information” means everything that one party tells the other.", "Confidential Information"),
        ('"Affiliate" shall mean a company that a party controls by its votes.', "Affiliate"),
        ("« Foyer fiscal » désigne l’ensemble des personnes d’une même déclaration.", "Foyer fiscal"),
        ("„Stichtag“ bezeichnet den letzten Tag des Monats der Lieferung.", "Stichtag"),
        ("Northwind Ltd. (the “Supplier”) delivers the goods to the address on the form.", "Supplier"),
        ("La société Dupont (ci-après le « Prestataire ») livre les biens au client.", "Prestataire"),
        ("The Service Level Agreement (SLA) is attached and forms part of the contract.", "SLA"),
        ("La taxe sur la valeur ajoutée (TVA) entre dans les dépenses retenues.", "TVA"),
        ("**Headache**: a dull pain on both sides of the head.", "Headache"),
        ("- **Deductible:** the part of a damage that the insured bears himself.", "Deductible"),
        ("The **grace period** is the time in which a late payment costs nothing.", "grace period"),
        ("Enfant à charge : l’enfant que le parent déclare sur sa feuille.", "Enfant à charge"),
        ("Batch — the tablets that were pressed in one run of the machine.", "Batch"),
    ],
)
def test_a_definition_is_found(text, term):
    assert terms(text) == [term]


def test_a_heading_that_its_section_defines_is_a_term():
    text = "Withholding tax is an amount that the payer keeps back. Another tax is not kept back by him."
    assert terms(text, "Withholding tax") == ["Withholding tax"]
    assert terms(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Note: tell your pharmacist about anything that is not listed here.",
        "He said “never again” and then went home without a further word.",
        "The fee (EUR 5) is due at the end of each month of the year.",
        "The lawyers met again (LMX) and agreed on the rest of the terms.",
        "“It” means what it means and nothing else in this text.",
        "The meeting starts at ten: bring the papers and a pen with you.",
        "“Order” means an order.",
        "Utilisez le formulaire suivant : adressez-le en double exemplaire au service.",
        "Exemples : jouets, textiles, médicaments, appareils domestiques et pièces détachées.",
    ],
)
def test_what_defines_nothing_gives_nothing(text):
    assert terms(text) == []
