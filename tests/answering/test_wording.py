"""Which two questions may share an answer: those that differ in nothing that could change it."""

import pytest

from hatrack.answering.wording import content_words

SAME = [
    ("How do I reset my password?", "Please tell me how can I reset the password"),
    ("How do I reset my password?", "how do we reset our password"),
    ("How do I reset my password?", "Please tell me how I can reset my password."),
    ("I can pay by card?", "Can I pay by card?"),
    ("What's the notice period?", "what is the notice period?"),
    ("Could you please explain the fee?", "Explain the fee."),
    ("Is GDPR fine due?", "is GDPR fine due"),
    ("Is a loan of $2.50 due?", "Hello, is the loan of $2.50 due?!"),
]
DIFFERENT = [
    ("Is it allowed?", "Is it not allowed?"),
    ("Is it allowed?", "Isn't it allowed?"),
    ("The fee with tax?", "The fee without tax?"),
    ("notice of 30 days", "notice of 60 days"),
    ("pay 2.5 euros", "pay 25 euros"),
    ("a change of -5 percent", "a change of 5 percent"),
    ("begins at .5", "begins at 5"),
    ("pay $5", "pay €5"),
    ("two days", "three days"),
    ("due on 3 May", "due on 3 June"),
    ("due on May 3", "due on May 4"),
    ("due yesterday", "due tomorrow"),
    ("the dose of aspirin", "the dose of ibuprofen"),
    ("Does Anna owe Peter?", "Does Peter owe Anna?"),
    ("does aspirin increase fever", "does fever increase aspirin"),
    ("move money from savings to checking", "move money from checking to savings"),
    ("Must I pay?", "May I pay?"),
    ("Should we sign?", "Can we sign?"),
    ("Does it apply in the US?", "Does it apply to us?"),
    ("Is hepatitis A serious?", "Is hepatitis serious?"),
    ("Is plan I better?", "Is plan better?"),
    ("What is my name?", "What is your name?"),
    ("When is it due?", "Why is it due?"),
    ("Was it paid?", "Is it paid?"),
    ("C++ or C?", "C or C?"),
    ("Puis-je payer?", "Ne puis-je pas payer?"),
    ("Was kostet es heute?", "Was kostet es morgen?"),
    ("is 5 > 3", "is 5 < 3"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_what_only_differs_in_form_is_one_question(a, b):
    assert content_words(a) == content_words(b) != ()


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_F29_numbers_negations_names_dates_and_order_make_another_question(a, b):
    assert content_words(a) != content_words(b)
