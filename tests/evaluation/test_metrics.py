"""Each metric on answers whose figure is known by hand or by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from hatrack.evaluation.metrics.base import Answers
from hatrack.evaluation.metrics.classification import Accuracy, MacroF1
from hatrack.evaluation.metrics.format import Format
from hatrack.evaluation.metrics.overlap import TokenF1

LABELS = ("blue", "green", "red")


def figure(metric, answers):
    return metric.total(metric.rows(answers))


def test_accuracy_is_exact_match():
    assert figure(Accuracy(), Answers(["red", "Red", "blue", ""], ["red", "red", "blue", "red"], LABELS)) == 0.5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*LABELS, "none of them"]), st.sampled_from(LABELS)), min_size=1, max_size=30))
def test_macro_f1_is_that_of_scikit_learn_over_the_classes_that_are_expected(pairs):
    answered, expected = [a for a, _ in pairs], [e for _, e in pairs]
    known = f1_score(expected, answered, labels=sorted(set(expected)), average="macro", zero_division=0)
    assert figure(MacroF1(), Answers(answered, expected, LABELS)) == pytest.approx(known)


def test_macro_f1_an_answer_outside_the_labels_is_a_miss_and_counts_against_no_other_class():
    # red: 1 of 2 found, nothing wrongly called red; blue: 1 of 1
    answers = Answers(["red", "I think it is red", "blue"], ["red", "red", "blue"], LABELS)
    assert figure(MacroF1(), answers) == pytest.approx((2 / 3 + 1) / 2)


def test_macro_f1_works_on_any_resample_of_the_rows():
    rows = MacroF1().rows(Answers(["red", "blue", "green"], ["red", "green", "green"], LABELS))
    assert MacroF1().total(rows[[0, 0, 0]]) == 1.0
    assert MacroF1().total(rows[[1]]) == 0.0


def test_macro_f1_and_token_f1_never_apply_together():
    classes, texts = Answers(["red"], ["red"], LABELS), Answers(["a b"], ["a"])
    assert (MacroF1().applies(classes), TokenF1().applies(classes)) == (True, False)
    assert (MacroF1().applies(texts), TokenF1().applies(texts)) == (False, True)


def test_format_of_a_classifier_is_whether_the_answer_is_one_of_the_labels():
    assert figure(Format(), Answers(["red", "red.", "RED", "blue"], ["red"] * 4, LABELS)) == 0.5


def test_format_with_a_schema_is_whether_the_answer_is_json_that_satisfies_it():
    schema = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number", "minimum": 0}}}
    answers = ['{"amount": 3}', '{"amount": -3}', '{"total": 3}', "amount: 3", '{"amount": 3', "[" * 20_000]
    rows = Format().rows(Answers(answers, answers, answer_schema=schema))
    assert rows[:, 0].tolist() == [1, 0, 0, 0, 0, 0]


def test_format_says_nothing_where_neither_labels_nor_a_schema_are_known():
    assert not Format().applies(Answers(["a"], ["a"]))
    assert Format().applies(Answers(["a"], ["a"], answer_schema={}))


@pytest.mark.parametrize(
    ("answer", "expected", "f1"),
    [
        ("The red apple!", "the red apple", 1.0),
        ("red", "the red apple", 2 * (1 * 1 / 3) / (1 + 1 / 3)),
        ("blue", "red", 0.0),
        ("", "red", 0.0),
        ("", "", 1.0),
        ("red red red", "red", 0.5),
    ],
)
def test_token_f1_by_hand(answer, expected, f1):
    assert figure(TokenF1(), Answers([answer], [expected])) == pytest.approx(f1)


def test_every_metric_gives_one_row_for_each_answer():
    texts = Answers(["red", "x"], ["red", "blue"], LABELS)
    for metric in (Accuracy(), MacroF1(), Format(), TokenF1()):
        rows = metric.rows(texts)
        assert rows.shape[0] == 2
        assert rows.dtype == np.float64
