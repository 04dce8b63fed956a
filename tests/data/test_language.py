"""The language of a text, or the honest answer that it is not known."""

from __future__ import annotations

import pytest

from hatrack.core.chat import Message
from hatrack.data.language import UNKNOWN, language, language_counts
from hatrack.data.records import Example

KNOWN = {
    "en": "My card is not working, what do I do now?",
    "fr": "Le contribuable doit déclarer ses revenus avant le 31 mai.",
    "de": "Der Vertrag kann nur schriftlich gekündigt werden.",
    "es": "El paciente debe tomar una pastilla después de comer.",
    "hi": "कृपया अपना खाता संख्या बताएं और फिर से प्रयास करें।",
}


@pytest.mark.parametrize(("code", "text"), KNOWN.items())
def test_a_sentence_is_enough(code, text):
    found, probability = language(text)
    assert found == code
    assert 0.5 <= probability <= 1


@pytest.mark.parametrize("text", ["", "Danke schön!", "   yes, please    ", "12.5 13.1 2023-01-02 11:45 99.0 4", "x1_9f8e7d6c5b4a3f2e1d0c"])
def test_what_is_short_or_no_language_is_undetermined(text):
    assert language(text)[0] == UNKNOWN


def test_the_same_text_has_the_same_answer():
    assert language(KNOWN["en"]) == language(KNOWN["en"])


def test_counts_are_of_rows_spread_over_all_of_them_and_of_what_is_said():
    english = [Example(i, f"e{i}", KNOWN["en"]) for i in range(60)]
    french = [
        Example(i, f"f{i}", "x", messages=(Message("system", KNOWN["en"] * 5), Message("user", KNOWN["fr"]), Message("assistant", "Oui.")))
        for i in range(40)
    ]
    assert language_counts([*english, *french], sample=10) == {"en": 6, "fr": 4}
    assert language_counts([*english, *french]) == {"en": 60, "fr": 40}
    assert language_counts([]) == {}
