"""What every metric promises; a new one is tested here by being in the table."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from hatrack.evaluation.metrics.base import METRICS, Answers

LABELS = ("red", "green", "blue", "dark red")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

every_metric = pytest.mark.parametrize("name", METRICS.names())

by_label = st.lists(st.tuples(st.sampled_from([*LABELS, "nothing of these", ""]), st.sampled_from(LABELS)), min_size=1, max_size=40).map(
    lambda pairs: Answers([g for g, _ in pairs], [e for _, e in pairs], LABELS)
)
words = st.lists(st.sampled_from(["the", "red", "river", "Stone.", "?!", "7"]), max_size=5).map(" ".join)
as_json = st.one_of(words, st.integers().map(lambda n: json.dumps({"n": n})), st.just('{"n": "x"}'), st.just("[" * 50))
free = st.lists(st.tuples(words, words), min_size=1, max_size=30).map(lambda pairs: Answers([g for g, _ in pairs], [e for _, e in pairs]))
structured = st.lists(st.tuples(as_json, st.just('{"n": 1}')), min_size=1, max_size=30).map(
    lambda pairs: Answers([g for g, _ in pairs], [e for _, e in pairs], answer_schema=SCHEMA)
)
any_answers = st.one_of(by_label, free, structured)


@pytest.fixture(scope="module", params=METRICS.names())
def metric(request):
    return METRICS.get(request.param)()


def perfect(answers):
    return Answers(answers.expected, answers.expected, answers.labels, answers.answer_schema)


@every_metric
def test_a_metric_knows_its_name_and_applies_somewhere(name):
    metric = METRICS.get(name)()
    assert metric.name == name
    assert isinstance(metric.right_or_wrong, bool)
    kinds = [Answers(["a"], ["a"], ("a", "b")), Answers(["a"], ["a"]), Answers(["{}"], ["{}"], answer_schema=SCHEMA)]
    assert any(metric.applies(kind) for kind in kinds)


@settings(max_examples=60, deadline=None)
@given(answers=any_answers)
def test_perfect_answers_are_one_and_no_answers_leave_zero_to_one(metric, answers):
    assume(metric.applies(answers))
    assert metric.total(metric.rows(perfect(answers))) == 1
    assert 0 <= metric.total(metric.rows(answers)) <= 1


@settings(max_examples=60, deadline=None)
@given(answers=any_answers)
def test_there_is_one_line_for_each_answer(metric, answers):
    assume(metric.applies(answers))
    rows = metric.rows(answers)
    assert rows.dtype == np.float64
    assert rows.ndim == 2
    assert len(rows) == len(answers.given)
    assert np.isfinite(rows).all()
    if metric.right_or_wrong:
        assert rows.shape[1] == 1
        assert set(rows[:, 0]) <= {0.0, 1.0}


@settings(max_examples=60, deadline=None)
@given(answers=any_answers, random=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(metric, answers, random):
    assume(metric.applies(answers))
    order = list(range(len(answers.given)))
    random.shuffle(order)
    rows = metric.rows(answers)
    assert metric.total(rows[order]) == pytest.approx(metric.total(rows))


@settings(max_examples=60, deadline=None)
@given(answers=any_answers, random=st.randoms(use_true_random=False))
def test_resampled_rows_give_what_resampled_answers_give(metric, answers, random):
    assume(metric.applies(answers))
    drawn = [random.randrange(len(answers.given)) for _ in answers.given]
    again = Answers([answers.given[i] for i in drawn], [answers.expected[i] for i in drawn], answers.labels, answers.answer_schema)
    assert metric.total(metric.rows(answers)[drawn]) == pytest.approx(metric.total(metric.rows(again)))


@settings(max_examples=60, deadline=None)
@given(answers=any_answers)
def test_a_better_answer_is_no_worse(metric, answers):
    assume(metric.applies(answers))
    better = Answers([answers.expected[0], *answers.given[1:]], answers.expected, answers.labels, answers.answer_schema)
    assert metric.total(metric.rows(better)) >= metric.total(metric.rows(answers)) - 1e-12


THEIRS = {
    "accuracy": lambda a: accuracy_score(a.expected, a.given),
    "macro_f1": lambda a: f1_score(a.expected, a.given, labels=sorted(set(a.expected)), average="macro", zero_division=0),
}


@pytest.mark.parametrize("name", THEIRS)
@settings(max_examples=100, deadline=None)
@given(answers=by_label)
def test_the_figure_is_scikit_learns(name, answers):
    metric = METRICS.get(name)()
    assert metric.total(metric.rows(answers)) == pytest.approx(THEIRS[name](answers))
