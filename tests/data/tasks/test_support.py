"""An answer is supported when its numbers, its names and enough of its words stand in the passage."""

from __future__ import annotations

import pytest

from hatrack.data.tasks.support import SupportReport, missing_support

PASSAGE = "The monthly fee is EUR 1,250.00 plus VAT. Northwind sends invoices, which are due within 30 days. Le prix est de 3 500 €."


@pytest.mark.parametrize(
    "answer",
    [
        "The fee is EUR 1,250.00 plus VAT.",
        "Invoices are due within 30 days.",
        "Northwind sends invoices.",
        "It's Northwind that sends the invoices within 30 days.",
        "30",
        "Le prix est de 3\u202f500 €.",
    ],
)
def test_what_the_passage_says_is_supported(answer):
    assert missing_support(answer, PASSAGE, 0.7) == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("The fee is EUR 1,300.00 plus VAT.", "a number"),
        ("The fee is EUR 1250.00.", "a number"),
        ("Invoices are due within 3 days.", "a number"),  # 3 500 is one number
        ("The invoices of Southwind are due within 30 days.", "a name"),
        ("GST and the fee are due.", "a name"),
        ("The fee rises every spring by agreement.", "too few"),
        ("It is so.", "without content"),
        ("", "without content"),
    ],
)
def test_what_was_invented_is_not(answer, reason):
    assert reason in missing_support(answer, PASSAGE, 0.7)


@pytest.mark.parametrize(("share", "kept"), [(0.5, True), (0.51, False)])
def test_the_share_is_of_the_content_words(share, kept):
    # fee, due stand there; charge, late do not
    assert (missing_support("The fee is due, the charge is late.", PASSAGE, share) == "") is kept


def test_words_are_not_stemmed_as_the_settings_say():
    assert missing_support("An invoice.", PASSAGE, 1.0) != ""


def test_a_word_turned_round_is_beyond_this_check():
    # documented: people must read what a model wrote
    assert missing_support("Invoices are not due within 30 days.", PASSAGE, 1.0) == ""


def test_the_report_counts_and_shows_the_first_of_each_reason():
    report = SupportReport()
    for i in range(5):
        report.add("qa", f"reply {i}\x1b", "not in the format", parsed=False)
    report.add("qa", "good", "", parsed=True)
    report.add("summary", "bad", "a number that the passage does not hold", parsed=True)
    assert (report.asked, report.parsed, report.kept) == (7, 2, 1)
    assert report.rejected == {"not in the format": 5, "a number that the passage does not hold": 1}
    assert [(example.reason, example.reply) for example in report.examples][:4] == [
        ("not in the format", "reply 0\\x1b"),
        ("not in the format", "reply 1\\x1b"),
        ("not in the format", "reply 2\\x1b"),
        ("", "good"),
    ]
    assert report.lines() == [
        "7 asked, 2 in the format, 1 kept (14%)",
        "5 rejected: not in the format",
        "1 rejected: a number that the passage does not hold",
    ]
    assert SupportReport().lines() == []
