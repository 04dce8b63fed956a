"""``hatrack compare``: what is measured, kept, skipped and recommended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compared_projects import bench_of, compared_project, problem_of
from conftest import label_rows, write_jsonl
from hatrack.core.config_compare import CompareSettings
from hatrack.core.errors import EvaluationError, TrainingError
from hatrack.evaluation.predictions import read_predictions
from hatrack.workflows.bakeoff import compare as module
from hatrack.workflows.bakeoff.approaches.demonstrations import fitting, spread, with_examples
from hatrack.workflows.bakeoff.approaches.embeddings_logreg import EmbeddingsLogreg
from hatrack.workflows.bakeoff.approaches.majority import Majority
from hatrack.workflows.bakeoff.approaches.prompted import base_card
from hatrack.workflows.bakeoff.approaches.tfidf_logreg import TfidfLogreg
from hatrack.workflows.bakeoff.base import APPROACHES
from hatrack.workflows.bakeoff.compare import compare
from hatrack.workflows.bakeoff.page.page import render_page
from hatrack.workflows.bakeoff.shares import fewer_rows

FAST = ("majority", "nearest", "tfidf-logreg", "zero-shot-scored", "encoder-lora")


@pytest.fixture(scope="module")
def project(tmp_path_factory, tiny_causal, tiny_encoder):
    return compared_project(tmp_path_factory.mktemp("bakeoff") / "project", tiny_causal, tiny_encoder, 150)


def settings(project, **keys):
    return CompareSettings.model_validate({**bench_of(project).config.compare.model_dump(), "approaches": FAST, **keys})


@pytest.fixture(scope="module")
def found(project):
    return compare(bench_of(project), "colours", settings(project))


def test_every_approach_has_its_line_and_the_best_stands_first(found):
    assert {entry.approach for entry in found.entries} == set(FAST)
    scores = [entry.scores["accuracy"].value for entry in found.entries]
    assert scores == sorted(scores, reverse=True)
    assert found.best == found.entries[0].approach
    assert found.entries[0].p is None
    assert found.entry("tfidf-logreg").scores["accuracy"].value > 0.9  # a word decides
    assert found.entry("majority").scores["accuracy"].value < 0.5
    assert found.entry("majority").p < 0.001
    for entry in found.entries:
        assert entry.scores["accuracy"].interval.low <= entry.scores["accuracy"].value <= entry.scores["accuracy"].interval.high
        assert entry.cost_per_1000 > 0
        assert entry.rows == found.train_rows == 75
        assert 0 < entry.latency_p50_ms <= entry.latency_p95_ms
    assert found.entry("encoder-lora").parameters > 0
    assert found.entry("encoder-lora").nbytes > 1000


def test_words_decide_here_and_the_cheapest_that_keeps_up_is_recommended(found):
    assert found.recommendation.approach in ("tfidf-logreg", "nearest")
    chosen, best = found.entry(found.recommendation.approach), found.entries[0]
    level = [entry for entry in found.entries if entry.p is None or entry.p >= 0.05]
    assert chosen.total_cost == min(entry.total_cost for entry in level)
    assert chosen.scores["accuracy"].value >= best.scores["accuracy"].interval.low


def test_the_answers_lie_in_files_that_the_scorer_reads(found):
    entry = found.entry("tfidf-logreg")
    read = read_predictions(Path(entry.answers))
    assert len(read) == found.test_rows
    right = sum(given == wanted for given, wanted in zip(read.given, read.expected, strict=True))
    assert right / len(read) == entry.scores["accuracy"].value


def test_nothing_is_done_twice(project, found, monkeypatch):
    def never(self, problem):
        raise AssertionError("this was measured before")

    for name in FAST:
        monkeypatch.setattr(APPROACHES.get(name), "fit", never)
    again = compare(bench_of(project), "colours", settings(project))
    assert again.entries == found.entries
    assert again.curves == found.curves


def test_other_rows_are_another_attempt(project, found):
    fewer = compare(bench_of(project), "colours", settings(project, approaches=("majority",), test_rows=30, curves="off"))
    assert fewer.test_rows == 30
    assert fewer.entries[0].scores != found.entry("majority").scores
    assert any("30 of 60 test rows" in note for note in fewer.notes)
    assert any("few" in note for note in fewer.notes)


def test_no_approach_is_given_the_test_rows(project, monkeypatch):
    seen = []
    real = Majority.fit

    def fit(self, problem):
        seen.append((len(problem.prepared.splits.test), {row.id for row in problem.train}))
        return real(self, problem)

    monkeypatch.setattr(Majority, "fit", fit)
    compare(bench_of(project), "colours", settings(project, approaches=("majority",), test_rows=31, curves="off"))
    test = {row.id for row in problem_of(project)[1]}
    [(rows, train)] = seen
    assert rows == 0
    assert not test & train


def test_learning_curves_have_a_tenth_a_third_and_all_of_the_rows(found):
    [curve] = [curve for curve in found.curves if curve.approach == found.recommendation.approach]
    assert [point.rows for point in curve.points][-1] == 75
    assert [point.rows for point in curve.points] == sorted(point.rows for point in curve.points)
    assert len(curve.points) == 3
    assert curve.points[0].score.value < curve.points[-1].score.value
    assert "more data would" in curve.verdict


def test_one_that_fails_is_said_and_the_others_go_on(project, monkeypatch):
    def fail(self, problem):
        raise TrainingError("it would not fit into memory", given="9 GB")

    monkeypatch.setattr(TfidfLogreg, "fit", fail)
    found = compare(bench_of(project), "colours", settings(project, approaches=("majority", "tfidf-logreg"), test_rows=32))
    assert [entry.approach for entry in found.entries] == ["majority"]
    assert [(one.approach, one.kind, one.reason) for one in found.skipped] == [
        ("tfidf-logreg", "failed", "it would not fit into memory (9 GB)")
    ]


def test_when_the_time_is_over_nothing_more_is_begun(project, found):
    soon = compare(bench_of(project), "colours", settings(project, minutes=1e-9))
    assert [entry.approach for entry in soon.entries] == ["majority"]  # the first is always tried
    assert {one.kind for one in soon.skipped} == {"no time"}
    assert soon.curves == ()


def test_what_would_take_longer_than_what_is_left_is_not_begun(project, monkeypatch):
    run = module._Run(bench_of(project), "colours", settings(project, minutes=1), bench_of(project).prepare("colours"), project, None)
    run.spent, run.longest["classical"] = 50.0, 11.0
    assert "10 s were left" in run._late(TfidfLogreg())
    run.longest["classical"] = 9.0
    assert run._late(TfidfLogreg()) == ""


def test_wishes_leave_out_and_the_price_of_that_is_said(project, found):
    wishes = {"explainable": True, "max_memory_mb": 0.000001}
    none = compare(bench_of(project), "colours", settings(project, wishes=wishes, approaches=("encoder-lora",), curves="off"))
    assert none.recommendation.approach is None
    assert "not explainable" in none.recommendation.reasons[0]
    some = compare(bench_of(project), "colours", settings(project, wishes={"explainable": True}, curves="off"))
    assert some.entry(some.recommendation.approach).explainable


def test_a_task_without_answers_is_refused(make_project):
    root = make_project("complete", [{"text": f"the red river is {i}"} for i in range(40)])
    with pytest.raises(EvaluationError, match="task complete has none"):
        compare(bench_of(root), "first", CompareSettings())


def test_fewer_rows_are_a_part_of_more_and_hold_every_label(project):
    prepared = bench_of(project).prepare("colours")
    parts = [fewer_rows(prepared, count, 3) for count in (6, 30, 1000)]
    few, many, whole = ({row.id for row in part.splits.train} for part in parts)
    assert few < many < whole
    assert {row.label for row in parts[0].splits.train} == {"red", "green", "blue"}
    assert len({part.record.train_digest for part in parts}) == 3
    assert parts[2] is prepared


def test_examples_in_the_prompt_show_different_labels_and_fit(project):
    problem, test = problem_of(project)
    shown = spread(problem)
    assert [row.label for row in shown] != [shown[0].label] * 3
    assert len({row.label for row in shown}) == 3
    assert fitting(shown, lambda text: 5, most=40) == shown[:2]
    host = type("Host", (), {"template_hash": "t"})()
    turns = with_examples(base_card(problem, host), lambda row: shown)(test[0])
    assert [turn.role for turn in turns] == ["system", *["user", "assistant"] * 3, "user"]
    assert turns[-1].content == test[0].text
    assert turns[2].content == shown[0].label
    assert "blue\ngreen\nred" in turns[0].content


def test_instruct_is_compared_by_overlap(tmp_path, tiny_causal, tiny_encoder):
    root = compared_project(tmp_path / "p", tiny_causal, tiny_encoder, adapter={"task": "instruct"})
    words = [row["text"] for row in label_rows(80)]
    write_jsonl(root / "data.jsonl", [{"prompt": text, "response": " ".join(text.split()[:2])} for text in words])
    names = ("majority", "nearest", "zero-shot", "few-shot-retrieved")
    found = compare(
        bench_of(root), "colours", CompareSettings(approaches=names, shots=2, answer_tokens=6, embedder=str(tiny_encoder), curves="off")
    )
    assert found.metric == "token_f1"
    assert {entry.approach for entry in found.entries} == {"nearest", "zero-shot", "few-shot-retrieved"}
    assert found.skipped[0].reason == "answers have no classes"
    assert {"rouge_l", "chrf"} <= set(found.entries[0].scores)


def test_the_page_shows_every_approach_and_needs_nothing_else(found):
    page = render_page(found)
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    for name in FAST:
        assert name in page
    assert f"Recommended: {found.recommendation.approach}" in page
    assert page.count("<svg") == 3


def test_the_command_prints_table_recommendation_and_page(project, hatrack, found):
    ran = hatrack("compare", "--only", ",".join(FAST), project=project)
    assert ran.code == 0, ran.err
    for words in (*FAST, f"recommended: {found.recommendation.approach}", "compare.html"):
        assert words in ran.out
    assert (project / ".hatrack" / "runs" / "colours#compare" / "compare.html").is_file()
    as_json = json.loads(hatrack("compare", "--only", ",".join(FAST), "--json", project=project).out)
    assert as_json["recommendation"]["approach"] == found.recommendation.approach


def test_brackets_in_reasons_are_no_markup(project, found, hatrack, monkeypatch):
    def fail(self, problem):
        raise TrainingError("something is missing", given='pip install "hatrack[onnx]"')

    monkeypatch.setattr(EmbeddingsLogreg, "fit", fail)
    ran = hatrack("compare", "--only", "majority,embeddings-logreg", "--curves", "off", project=project)
    for shown in (ran.out, ran.err):
        assert 'something is missing (pip install "hatrack[onnx]")' in " ".join(shown.split())
    [curve, *_], recommendation = found.curves, found.recommendation.model_copy(update={"reasons": ("a reason [x]",)})
    told = {"notes": ("a note [x]",), "curves": (curve.model_copy(update={"verdict": "a verdict [x]"}),), "recommendation": recommendation}
    monkeypatch.setattr(module, "compare", lambda *given: found.model_copy(update=told))
    shown = hatrack("compare", project=project).out
    for what in ("note", "verdict", "reason"):
        assert f"a {what} [x]" in shown
