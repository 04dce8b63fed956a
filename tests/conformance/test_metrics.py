"""What every metric promises; a new one is tested here by being in the table."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from hatrack.evaluation.metrics.base import METRICS, Answers

LABELS = ("red", "green", "blue", "dark red")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

BEST = {"ece": 0}  # what perfect answers have, where that is not 1
# n-grams of a length that no answer had before may enter chrF with one right answer, and confidence is not about one row
NOT_BY_ROW = ("chrf", "ece")

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


def scored(texts):
    """Log-probabilities and lengths of ``texts`` texts for each row, under a system and under its base."""
    one = st.tuples(st.floats(-300, -0.01), st.integers(1, 50).map(float))
    row = st.lists(one, min_size=texts, max_size=texts)
    return st.lists(st.tuples(row, row), min_size=1, max_size=30).map(
        lambda rows: Answers([""] * len(rows), [""] * len(rows), (), None, np.array([a for a, _ in rows]), np.array([b for _, b in rows]))
    )


numeral = st.lists(st.tuples(words, st.integers(-999, 999).map(str)), min_size=1, max_size=30).map(
    lambda pairs: Answers([g for g, _ in pairs], [e for _, e in pairs])
)
matching = st.lists(st.tuples(words, st.just("[a] the river")), min_size=1, max_size=30).map(
    lambda pairs: Answers(
        [g for g, _ in pairs],
        [e for _, e in pairs],
        contexts=["[a] the river is red"] * len(pairs),
        sources=[["a"]] * len(pairs),
        pattern=r"\[a\].*",
    )
)
sure = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS), st.floats(0, 1)), min_size=1, max_size=40).map(
    lambda rows: Answers([g for g, _, _ in rows], [e for _, e, _ in rows], LABELS, confidences=np.array([c for _, _, c in rows]))
)

KINDS = [
    (numeral, Answers(["1"], ["1"])),
    (matching, Answers(["a"], ["[a]"], contexts=["a"], sources=[["a"]], pattern="a")),
    (sure, Answers(["a"], ["a"], ("a", "b"), confidences=np.ones(1))),
    (by_label, Answers(["a"], ["a"], ("a", "b"))),
    (free, Answers(["a"], ["a"])),
    (structured, Answers(["{}"], ["{}"], answer_schema=SCHEMA)),
    (scored(1), Answers([""], [""], likelihoods=np.ones((1, 1, 2)), reference=np.ones((1, 1, 2)))),
    (scored(2), Answers([""], [""], likelihoods=np.ones((1, 2, 2)), reference=np.ones((1, 2, 2)))),
]


def answers_for(metric, data):
    """Answers of every kind that the metric applies to."""
    return data.draw(st.one_of([kind for kind, sample in KINDS if metric.applies(sample)]))


@pytest.fixture(scope="module", params=METRICS.names())
def metric(request):
    return METRICS.get(request.param)()


def perfect(answers):
    """What the best of all systems would have answered: it is certain of the one text, or of the better one."""
    if answers.likelihoods is None:
        certain = None if answers.confidences is None else np.ones(len(answers.given))
        return replace(answers, given=answers.expected, confidences=certain)
    sure = answers.likelihoods.copy()
    sure[:, 0, 0] = 0
    sure[:, 1:, 0] = -1000
    return replace(answers, likelihoods=sure)


def pick(answers, rows):
    given, expected = [answers.given[i] for i in rows], [answers.expected[i] for i in rows]
    likelihoods, reference, sure = (None if a is None else a[rows] for a in (answers.likelihoods, answers.reference, answers.confidences))
    contexts, sources = (None if a is None else [a[i] for i in rows] for a in (answers.contexts, answers.sources))
    return replace(
        answers,
        given=given,
        expected=expected,
        likelihoods=likelihoods,
        reference=reference,
        confidences=sure,
        contexts=contexts,
        sources=sources,
    )


@every_metric
def test_a_metric_knows_its_name_and_applies_somewhere(name):
    metric = METRICS.get(name)()
    assert metric.name == name
    assert isinstance(metric.right_or_wrong, bool)
    assert isinstance(metric.higher_is_better, bool)
    assert any(metric.applies(sample) for _, sample in KINDS)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_perfect_answers_are_one_and_no_answers_are_better(metric, data):
    answers = answers_for(metric, data)
    best = BEST.get(metric.name, 1)
    assert metric.total(metric.rows(perfect(answers))) == pytest.approx(best)
    figure = metric.total(metric.rows(answers))
    assert 0 <= figure <= 1 + 1e-9 if metric.higher_is_better else figure >= best


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_there_is_one_line_for_each_answer(metric, data):
    answers = answers_for(metric, data)
    rows = metric.rows(answers)
    assert rows.dtype == np.float64
    assert rows.ndim == 2
    assert len(rows) == len(answers.given)
    assert np.isfinite(rows).all()
    if metric.right_or_wrong:
        assert rows.shape[1] == 1
        assert set(rows[:, 0]) <= {0.0, 1.0}


@settings(max_examples=60, deadline=None)
@given(data=st.data(), random=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(metric, data, random):
    answers = answers_for(metric, data)
    order = list(range(len(answers.given)))
    random.shuffle(order)
    rows = metric.rows(answers)
    assert metric.total(rows[order]) == pytest.approx(metric.total(rows))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), random=st.randoms(use_true_random=False))
def test_resampled_rows_give_what_resampled_answers_give(metric, data, random):
    answers = answers_for(metric, data)
    drawn = [random.randrange(len(answers.given)) for _ in answers.given]
    assert metric.total(metric.rows(answers)[drawn]) == pytest.approx(metric.total(metric.rows(pick(answers, drawn))))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_better_answer_is_no_worse(metric, data):
    if metric.name in NOT_BY_ROW:
        return
    answers = answers_for(metric, data)
    if answers.likelihoods is None:
        better = replace(answers, given=[answers.expected[0], *answers.given[1:]])
    else:
        rest = np.arange(len(answers.given))[:, None, None] > 0
        better = replace(answers, likelihoods=np.where(rest, answers.likelihoods, perfect(answers).likelihoods))
    gain = metric.total(metric.rows(better)) - metric.total(metric.rows(answers))
    assert (gain if metric.higher_is_better else -gain) >= -1e-12


THEIRS = {
    "accuracy": lambda a: accuracy_score(a.expected, a.given),
    "micro_f1": lambda a: f1_score(a.expected, a.given, labels=list(LABELS), average="micro", zero_division=0),
    "macro_f1": lambda a: f1_score(a.expected, a.given, labels=sorted(set(a.expected)), average="macro", zero_division=0),
}


@pytest.mark.parametrize("name", THEIRS)
@settings(max_examples=100, deadline=None)
@given(answers=by_label)
def test_the_figure_is_scikit_learns(name, answers):
    metric = METRICS.get(name)()
    assert metric.total(metric.rows(answers)) == pytest.approx(THEIRS[name](answers))
