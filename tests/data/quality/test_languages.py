"""Languages and personal data: figures that other rooms hand in."""

from hatrack.data.quality.languages import languages
from hatrack.data.quality.privacy import privacy


def speaks(text):
    if "bonjour" in text:
        return "fr", 0.99
    return ("en", 0.5) if "hm" in text else ("en", 0.97)


def test_texts_are_shared_out_by_language_and_doubt_is_named():
    texts = (
        ["a text that is long enough to tell"] * 7 + ["bonjour à tous les passagers du train"] * 2 + ["hm hm hm hm hm hm hm hm hm hm hm"]
    )
    found = languages(texts, speaks, 100)
    assert found.shares == {"en": 0.7, "fr": 0.2, "unsure": 0.1}
    assert str(found.basis) == "on 10 of 100 rows"


def test_a_text_with_few_letters_is_not_asked_about():
    assert languages(["ok 123456789012345678901234"], speaks, 1).shares == {}


def test_personal_data_are_counts_and_shares_most_frequent_first():
    found = privacy({"IBAN": 2, "EMAIL": 10, "SSN": 0}, 100)
    assert list(found.rows.items()) == [("EMAIL", 10), ("IBAN", 2)]
    assert found.shares == {"EMAIL": 0.1, "IBAN": 0.02}
