"""Metrics of free text and of confidence, on answers whose figure is known by hand or by the library that defines it."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
from rouge_score import rouge_scorer

from hatrack.evaluation.metrics.base import Answers
from hatrack.evaluation.metrics.calibration import CalibrationError
from hatrack.evaluation.metrics.classification import MicroF1
from hatrack.evaluation.metrics.format import Pattern
from hatrack.evaluation.metrics.grounding import CitationRecall, Groundedness
from hatrack.evaluation.metrics.numeric import Numeric, numbers
from hatrack.evaluation.metrics.overlap import ChrF, ExactMatch, RougeL

GIVEN = ["The cat sat on the mat.", "a red river", "", "nothing alike"]
WANTED = ["The cat is on the mat.", "a red river", "a stone", "the lamp"]


def figure(metric, answers):
    assert metric.applies(answers)
    return metric.total(metric.rows(answers))


def test_chrf_is_sacrebleus_figure_over_the_corpus():
    assert figure(ChrF(), Answers(GIVEN, WANTED)) == pytest.approx(sacrebleu.corpus_chrf(GIVEN, [WANTED]).score / 100)


def test_rouge_l_is_the_mean_of_googles():
    scorer = rouge_scorer.RougeScorer(["rougeL"])
    theirs = [scorer.score(wanted, given)["rougeL"].fmeasure for given, wanted in zip(GIVEN, WANTED, strict=True)]
    assert figure(RougeL(), Answers(GIVEN, WANTED)) == pytest.approx(np.mean(theirs))


def test_rouge_l_reads_other_scripts_too():
    assert figure(RougeL(), Answers(["कर की दर"], ["कर की दर"])) == 1
    assert figure(RougeL(), Answers(["impôt à payer"], ["impôt"])) == pytest.approx(0.5)


def test_exact_match_looks_past_case_and_punctuation():
    assert figure(ExactMatch(), Answers(["The Red River!", "river"], ["the red  river", "rivers"])) == 0.5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.5 million", 12.5e6),
        ("12,500,000", 12.5e6),
        ("$1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("3,5", 3.5),
        ("1,00,000", 1e5),
        ("5 lakh", 5e5),
        ("(42)", -42),
        ("\u22127", -7),
        ("12 %", 0.12),
        ("1.234.567", 1234567),
    ],
)
def test_one_number_however_it_is_written(text, value):
    assert numbers(text) == [pytest.approx(value)]


def test_numeric_takes_the_last_number_within_half_a_percent():
    answers = Answers(["It rose from 3 to 1.204 bn", "about 99", "none", "1199 million"], ["1,200 million"] * 4)
    assert Numeric().rows(answers)[:, 0].tolist() == [1, 0, 0, 1]
    assert not Numeric().applies(Answers(["1"], ["one"]))


def test_micro_f1_of_answers_outside_the_labels_costs_recall_alone():
    # one hit, one answer that is a label, two rows: 2 * 1 / (1 + 2)
    assert figure(MicroF1(), Answers(["red", "dunno"], ["red", "blue"], ("red", "blue"))) == pytest.approx(2 / 3)


def test_ece_by_hand():
    # said 0.95 four times, right twice; said 0.25 once, wrong: (4 * |0.5 - 0.95| + |0 - 0.25|) / 5
    answers = Answers(["a", "a", "b", "b", "b"], ["a"] * 5, ("a", "b"), confidences=np.array([0.95] * 4 + [0.25]))
    assert figure(CalibrationError(), answers) == pytest.approx((4 * 0.45 + 0.25) / 5)


def test_pattern_is_about_the_whole_answer():
    assert figure(Pattern(), Answers(["12-34", "12-34 or so", "1\n2"], ["x"] * 3, pattern=r"\d+.\d+")) == pytest.approx(2 / 3)


def test_citation_recall_wants_names_as_words():
    answers = Answers(["See [F12] and F3.", "See F123."], ["", ""], sources=[["F12", "F3"], ["F12"]])
    assert figure(CitationRecall(), answers) == pytest.approx(2 / 3)


def test_groundedness_sees_invented_names_and_figures_but_not_restating():
    context = "The tenant pays 900 euros every month and may terminate with two months of notice."
    given = "The tenant pays 900 euros every month. The tenant pays 950 euros every month. Penalties amount to imprisonment. Yes."
    rows = Groundedness().rows(Answers([given], [""], contexts=[context]))
    assert rows.tolist() == [[1, 3]]
