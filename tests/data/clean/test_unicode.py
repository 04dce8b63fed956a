"""Mojibake is undone, readable text is left alone byte for byte."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.data.clean.unicode import repair_unicode

# Written by hand from the byte tables: what UTF-8 looks like after it was read in another encoding.
MOJIBAKE = [
    ("Le cafÃ© est fermÃ© Ã\xa0 lâ€™Ã©tÃ©", "Le café est fermé à l’été"),  # Windows-1252
    ("GrÃ¶Ã\x9fe der StraÃ\x9fe", "Größe der Straße"),  # Latin-1
    ("piâ€œataâ€\x9d", "pi“ata”"),
    ("T√ºbingen, pi√±ata", "Tübingen, piñata"),  # Mac Roman
    ("ÐŸÑ€Ð¸Ð²ÐµÑ‚, Ð¼Ð¸Ñ€", "Привет, мир"),
    ("Ã\x83Â©tÃ\x83Â©", "été"),  # twice over
    ("voilÃ le rÃ©sultat", "voilà le résultat"),  # the no-break space of à became a space, or was lost
    ("don\x92t \x93quote\x94 \x85", "don’t “quote” …"),  # Windows-1252 read as Latin-1
    ("caf&Atilde;&copy; &acirc;&euro;&trade;", "café ’"),  # and then escaped for HTML
    ("price: 10 Â£, 20 Â°C", "price: 10 £, 20 °C"),
]

READABLE = [
    "IL A DÉJÀ ÉTÉ À PARIS, à l’Œuvre",
    "NÃO É ASSIM: SÃO PAULO – «Olá»",
    "Größe über ÄÖÜ, “Anführung” und „Anführung“",
    "∀x∈ℝ: x² ≥ 0, √2 ≈ 1.41, 3 × 4 = 12 ± 0.5 °C",
    "Việt Nam, ĐẠI HỌC; Łódź; İstanbul; 日本語テキスト ＡＢＣ",
    "def f(x):\n    return '&amp;' if x <= 'é' else \"&lt;&gt;\"",
    "&eacute;&egrave; &copy;&reg; AT&T; a && b",
    "emoji 👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 and 1️⃣",
    "tail \r\n\t and \x00 are another rule's",
    "ĳ ǆ ŉ are letters",
]


@pytest.mark.parametrize(("broken", "meant"), MOJIBAKE)
def test_mojibake_becomes_the_text_it_was(broken, meant):
    assert repair_unicode(broken) == meant


@pytest.mark.parametrize("text", READABLE)
def test_readable_text_is_the_very_same(text):
    assert repair_unicode(text) == text


def test_a_broken_line_does_not_change_the_lines_around_it():
    assert repair_unicode("SÃO PAULO\ncafÃ©\nÂge") == "SÃO PAULO\ncafé\nÂge"
    assert repair_unicode("日本語\nT√ºbingen") == "日本語\nTübingen"  # as one text it has no single encoding


def test_text_is_composed_and_ligatures_of_the_typesetter_are_letters():
    assert repair_unicode("e\u0301te\u0301 o\ufb03ce de\ufb01ne") == "été office define"


def test_what_cannot_be_repaired_whole_keeps_what_is_readable_of_it():
    assert repair_unicode("cafÃ© and lâ€?amour") == "café and lâ€?amour"


def test_halves_of_characters_are_joined_or_marked():
    assert repair_unicode("\ud83d\ude42 \ud83d") == "🙂 \ufffd"


PIECES = st.sampled_from(
    ["Ã", "©", "â€™", "Â", "é", "e", "\u0301", " ", "\xa0", "\x92", "√", "±", "&Atilde;", "&copy;", "\n", "\u200b", "×", "²"]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=12).map("".join)))
def test_a_repaired_text_is_composed_and_any_text_can_be_saved(text):
    repaired = repair_unicode(text)
    assert unicodedata.is_normalized("NFC", repaired)
    assert repaired.encode("utf-8").decode("utf-8") == repaired


SENTENCES = [
    "Le contribuable doit déclarer ses revenus à l’étranger – même exonérés.",
    "Die Kündigung muß schriftlich erfolgen; für Übergaben gilt § 4 „Größe“.",
    "El niño tomó “una pastilla” al día… ¿por qué?",
    "Zażółć gęślą jaźń w Łodzi",
]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1250", "mac_roman"])
@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_survives_one_wrong_decoding(sentence, encoding):
    try:
        broken = sentence.encode("utf-8").decode(encoding)
    except UnicodeDecodeError:
        pytest.skip("this encoding cannot read these bytes, so no such mojibake exists")
    assert broken != sentence
    assert repair_unicode(broken) == sentence
