"""Words about a prediction: the template is always right, planted faults are found, and a wrong text is never shown."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from hatrack.tabular.explaining.reasons import Explanation, Reason
from hatrack.tabular.wording.check import check_text
from hatrack.tabular.wording.facts import Facts
from hatrack.tabular.wording.template import READERS, template_text
from hatrack.tabular.wording.write import prompt_for, worded

REASONS = (
    Reason("checking_status", "<0 DM", 0.812),
    Reason("duration_months", "48", 0.41),
    Reason("savings", ">=1000 DM", -0.3),
    Reason("age", "25", 0.1),
    Reason("credit_amount", "5951", 0.05),
)
FACTS = Facts.of(Explanation(1, "bad", "bad", 0.734, 0.167, 1.272, 0.2, "log odds", REASONS), ("good", "bad"), "label")


def kinds(text: str, facts: Facts = FACTS) -> set[str]:
    return {fault.kind for fault in check_text(text, facts)}


@pytest.fixture(scope="module")
def made():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "tabular" / "texts.py"
    spec = importlib.util.spec_from_file_location("texts", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["texts"] = module
    spec.loader.exec_module(module)
    return module


def test_of_200_planted_faults_at_least_95_in_100_are_found(made):
    found = [text for text in made.texts(200, 41, planted=True) if check_text(text.words, text.facts)]
    assert len(found) >= 190


def test_of_200_right_texts_at_most_5_in_100_are_suspected(made):
    suspected = [text.words for text in made.texts(200, 42, planted=False) if check_text(text.words, text.facts)]
    assert len(suspected) <= 10, suspected


@pytest.mark.parametrize("reader", READERS)
def test_the_template_passes_its_own_checker(made, reader):
    for text in made.texts(40, 43, planted=False):
        assert check_text(template_text(text.facts, reader), text.facts) == []


@pytest.mark.parametrize(
    "text",
    [
        "The probability of bad is 73 %, mainly because the duration is 48 months and the checking status is <0 DM.",
        "Two reasons raise the risk: checking status and duration. Savings of >=1000 DM lower it.",
        "The chance of good is 26.6 percent.",
        "Your savings raise the probability of good.",
        "The probability of bad is about 0.7.",
        "Duration (48) raises the probability of bad by 0.41.",
    ],
)
def test_what_is_so_may_be_said(text):
    assert check_text(text, FACTS) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The probability of bad is 37 %.", "number"),
        ("The probability of bad is thirty-seven percent.", "number"),
        ("The duration of 36 months raises the probability of bad.", "number"),
        ("Duration (48) raises the probability of bad by 0.812.", "number"),
        ("Five reasons raise the risk.", "number"),
        ("It is bad because of the postcode.", "unknown word"),
        ("Age raises the probability of bad.", "reason"),
        ("The credit amount raises it.", "reason"),
        ("The checking status (no account) raises the probability of bad.", "reason"),
        ("Savings raise the probability of bad.", "direction"),
        ("Savings lower the probability of good.", "direction"),
        ("The duration does not raise the probability of bad.", "direction"),
        ("", "reason"),
    ],
)
def test_what_is_not_so_is_found(text, kind):
    assert kind in kinds(text)


def test_a_model_that_says_what_is_so_is_quoted():
    said = "The probability of bad is 73 %. The checking status raises it."
    text = worded(FACTS, "customer", lambda prompt: said)
    assert (text.text, text.source) == (said, "model")


def test_a_model_that_invents_is_replaced_by_the_template_and_the_faults_are_kept():
    text = worded(FACTS, "customer", lambda prompt: "You were refused because of your postcode.")
    assert (text.text, text.source) == (template_text(FACTS, "customer"), "template")
    assert text.rejected == "You were refused because of your postcode."
    assert text.faults


def test_a_model_is_told_the_reasons_and_no_others():
    prompt = prompt_for(FACTS, "analyst")
    assert "checking status is <0 DM; it raises the probability of bad" in prompt
    assert "savings is >=1000 DM; it lowers" in prompt
    assert "credit amount" not in prompt
