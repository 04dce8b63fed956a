"""``hatrack advise``: the decision for a situation, with reasons, and what it refuses to guess."""

from __future__ import annotations

import itertools
import json

import pytest

from hatrack.workflows.advise import FACTS, TASKS, Situation, advise
from hatrack.workflows.bakeoff.base import APPROACHES


@pytest.mark.parametrize(
    ("situation", "approach"),
    [
        (Situation("labels", rows=500, labels=5, explainable=True), "tfidf-logreg"),
        (Situation("labels", rows=20, labels=10), "few-shot-retrieved"),
        (Situation("labels", rows=20, labels=10, may_leave=True), "hosted"),
        (Situation("labels", rows=200, labels=10), "embeddings-logreg"),
        (Situation("labels", rows=5000, labels=10), "encoder-lora"),
        (Situation("labels", rows=5000, labels=10, latency_ms=1), "tfidf-logreg"),
        (Situation("answers", rows=5000, facts="changing"), "few-shot-retrieved"),
        (Situation("answers", rows=20), "few-shot"),
        (Situation("answers", rows=20, may_leave=True), "hosted"),
        (Situation("answers", rows=2000, facts="stable"), "lora"),
        (Situation("style", rows=2000), "lora"),
        (Situation("style", rows=100_000, gpu=True), "lora"),
    ],
)
def test_the_decision_for_a_situation(situation, approach):
    advice = advise(situation)
    assert advice.approach == approach
    assert advice.reasons


def test_every_situation_has_an_answer_that_exists_and_keeps_to_what_was_said():
    yes_or_no = (False, True)
    for task, rows, facts, gpu, why, leave in itertools.product(TASKS, (0, 50, 500, 10**5), FACTS, yes_or_no, yes_or_no, yes_or_no):
        advice = advise(Situation(task, rows, 7 if task == "labels" else 0, facts, gpu, why, leave))
        assert advice.approach in APPROACHES.names()
        assert leave or "hosted" not in (advice.approach, *advice.also)
        if why and task == "labels":
            assert APPROACHES.get(advice.approach).traits.explainable
        assert {one.partition(",")[0] for one in advice.also} <= set(APPROACHES.names())


def test_the_command_says_where_to_begin_and_why(hatrack):
    ran = hatrack("advise", "--task", "labels", "--rows", "500", "--labels", "12", "--explainable")
    assert ran.code == 0
    assert "begin with tfidf-logreg" in ran.out
    assert "hatrack compare" in ran.out
    found = json.loads(hatrack("advise", "--task", "answers", "--rows", "9", "--json").out)
    assert found["approach"] == "few-shot"


def test_on_a_screen_it_asks_what_was_not_said(hatrack, monkeypatch):
    replies = iter(["labels", 40, 4, "none"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda text, **kind: next(replies))
    monkeypatch.setattr("typer.confirm", lambda text: False)
    ran = hatrack("advise")
    assert ran.code == 0, ran.err
    assert "begin with embeddings-logreg" in ran.out
