"""Files of predictions: what is read, what is refused, how two are put side by side, and slices."""

from __future__ import annotations

import json

import pytest

from conftest import write_jsonl
from hatrack.core.errors import ConfigError, DataFileError, EvaluationError, RowErrors
from hatrack.evaluation.metrics.classification import Accuracy
from hatrack.evaluation.predictions import Names, join, read_predictions, write_predictions
from hatrack.evaluation.scoring import answers_of, chosen_metrics, compared, guess_labels, metrics_of_file, scored
from hatrack.evaluation.slices import slices

ROWS = [{"id": f"q{i}", "prediction": "yes" if i % 4 else "no", "expected": "yes", "country": "FR" if i < 40 else "IN"} for i in range(60)]

OWN = '''
import numpy as np

class Polite:
    """Share of answers that say please."""
    name = "polite"
    right_or_wrong = True
    higher_is_better = True

    def applies(self, answers):
        return True

    def rows(self, answers):
        return np.array([["please" in given] for given in answers.given], float)

    def total(self, rows):
        return float(rows.mean())
'''


@pytest.fixture
def file(tmp_path):
    return write_jsonl(tmp_path / "run.jsonl", ROWS)


def test_what_is_written_is_read(tmp_path):
    write_predictions(tmp_path / "a.jsonl", ROWS)
    read = read_predictions(tmp_path / "a.jsonl")
    assert (read.ids[3], read.given[4], read.expected[0]) == ("q3", "no", "yes")
    assert read.columns[50]["country"] == "IN"


def test_csv_and_other_names_of_columns_will_do(tmp_path):
    (tmp_path / "a.csv").write_text("key,answer,gold\n1,yes,no\n2,no,no\n")
    read = read_predictions(tmp_path / "a.csv", Names("answer", "gold", "key"))
    assert (read.ids, read.given, read.expected) == (("1", "2"), ("yes", "no"), ("no", "no"))


def test_what_is_right_may_stand_in_a_file_of_its_own(tmp_path):
    write_jsonl(tmp_path / "gold.jsonl", [{"id": "b", "expected": "2"}, {"id": "a", "expected": "1"}])
    write_jsonl(tmp_path / "run.jsonl", [{"id": "a", "prediction": "1"}, {"id": "b", "prediction": "x"}])
    read = read_predictions(tmp_path / "run.jsonl", gold=tmp_path / "gold.jsonl")
    assert (read.ids, read.given, read.expected) == (("b", "a"), ("x", "1"), ("2", "1"))


def test_a_prediction_that_is_missing_is_refused_and_named(tmp_path):
    write_jsonl(tmp_path / "gold.jsonl", [{"id": "a", "expected": "1"}, {"id": "b", "expected": "2"}])
    write_jsonl(tmp_path / "run.jsonl", [{"id": "a", "prediction": "1"}])
    with pytest.raises(RowErrors, match="predictions are missing") as refused:
        read_predictions(tmp_path / "run.jsonl", gold=tmp_path / "gold.jsonl")
    assert refused.value.rows == ((2, "no prediction for id b"),)


def test_an_empty_answer_is_an_answer_and_null_is_none(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [{"prediction": "", "expected": "1"}])
    assert read_predictions(tmp_path / "a.jsonl").given == ("",)
    write_jsonl(tmp_path / "b.jsonl", [{"prediction": None, "expected": "1"}, {"prediction": "1", "expected": "1"}])
    with pytest.raises(RowErrors) as refused:
        read_predictions(tmp_path / "b.jsonl")
    assert refused.value.rows == ((1, "no prediction"),)


def test_an_id_twice_is_refused(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [*ROWS, ROWS[7]])
    with pytest.raises(EvaluationError, match="more than one row") as refused:
        read_predictions(tmp_path / "a.jsonl")
    assert "q7" in refused.value.given


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(DataFileError):
        read_predictions(tmp_path / "a.jsonl")


def test_two_files_are_joined_by_id_or_refused(tmp_path, file):
    ours = read_predictions(file)
    turned = read_predictions(write_jsonl(tmp_path / "b.jsonl", ROWS[::-1]))
    assert join(ours, turned, ("a", "b"))[1] == ours
    fewer = read_predictions(write_jsonl(tmp_path / "c.jsonl", ROWS[1:]))
    with pytest.raises(EvaluationError, match="did not answer the same rows"):
        join(ours, fewer, ("a", "c"))
    other = read_predictions(write_jsonl(tmp_path / "d.jsonl", [{**ROWS[0], "expected": "no"}, *ROWS[1:]]))
    with pytest.raises(EvaluationError, match="expect different answers"):
        join(ours, other, ("a", "d"))


def test_labels_are_guessed_where_answers_repeat_and_only_there(tmp_path, file):
    assert guess_labels(read_predictions(file)) == ("yes",)
    texts = [{"id": i, "prediction": "x", "expected": f"answer number {i}"} for i in range(30)]
    assert guess_labels(read_predictions(write_jsonl(tmp_path / "t.jsonl", texts))) == ()


def test_slices_have_their_own_intervals_and_small_ones_are_marked(file):
    read = read_predictions(file)
    answers = answers_of(read, ("no", "yes"))
    found = slices(read, Accuracy(), Accuracy().rows(answers), ["country", "label"], 0.95, 1)
    assert [(one.column, one.value, one.rows, one.small) for one in found] == [
        ("country", "FR", 40, False),
        ("country", "IN", 20, True),
        ("label", "yes", 60, False),
    ]
    assert found[0].score.value == 0.75
    assert found[0].score.interval.low < 0.75 < found[0].score.interval.high


def test_a_slice_that_fails_stands_out_and_the_others_do_not(tmp_path):
    rows = [{**row, "prediction": "no" if row["country"] == "IN" else "yes", "half": i % 2} for i, row in enumerate(ROWS)]
    read = read_predictions(write_jsonl(tmp_path / "a.jsonl", rows))
    found = slices(read, Accuracy(), Accuracy().rows(answers_of(read, ())), ["country", "half"], 0.95, 1)
    assert {one.value: one.p < 0.05 for one in found} == {"FR": True, "IN": True, "0": False, "1": False}


def test_lengths_are_thirds_of_the_rows(tmp_path):
    rows = [{"id": i, "text": "w " * (i + 1), "prediction": "a", "expected": "a"} for i in range(30)]
    read = read_predictions(write_jsonl(tmp_path / "a.jsonl", rows))
    found = slices(read, Accuracy(), Accuracy().rows(answers_of(read, ())), ["length"], 0.95, 1)
    assert [one.value for one in found] == ["up to 11 words", "up to 20 words", "longer"]
    assert sum(one.rows for one in found) == 30


def test_a_column_that_is_no_grouping_is_refused(file):
    read = read_predictions(file)
    with pytest.raises(EvaluationError, match="too many values"):
        slices(read, Accuracy(), Accuracy().rows(answers_of(read, ())), ["id"], 0.95, 1)
    with pytest.raises(EvaluationError, match="no column 'contry'") as refused:
        slices(read, Accuracy(), Accuracy().rows(answers_of(read, ())), ["contry"], 0.95, 1)
    assert refused.value.fix == "did you mean country?"


def test_a_metric_of_ones_own_comes_from_a_python_file(tmp_path, file):
    (tmp_path / "mine.py").write_text(OWN)
    answers = answers_of(read_predictions(file), ())
    metrics = chosen_metrics(answers, ["polite"], metrics_of_file(tmp_path / "mine.py"))
    assert scored(answers, metrics, 0.95, 1)[0].score.value == 0
    (tmp_path / "none.py").write_text("x = 1\n")
    with pytest.raises(ConfigError, match="defines no metric"):
        metrics_of_file(tmp_path / "none.py")
    (tmp_path / "bad.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(ConfigError, match="cannot be run"):
        metrics_of_file(tmp_path / "bad.py")


def test_metrics_that_need_more_than_two_texts_find_their_columns(tmp_path):
    row = {
        "id": "1",
        "prediction": "The rent is 900 [F1]",
        "expected": "900",
        "confidence": 0.9,
        "context": "The rent is 900",
        "citations": "F1",
    }
    answers = answers_of(read_predictions(write_jsonl(tmp_path / "a.jsonl", [row, {**row, "id": "2"}])), ())
    assert {"ece", "groundedness", "citation_recall"} <= {metric.name for metric in chosen_metrics(answers, ())}
    wrong = read_predictions(write_jsonl(tmp_path / "b.jsonl", [{**row, "confidence": 90}]))
    with pytest.raises(EvaluationError, match="outside 0 to 1"):
        answers_of(wrong, ())


def test_the_difference_of_two_systems_has_the_sign_of_the_better(file, tmp_path):
    ours = answers_of(read_predictions(file), ("no", "yes"))
    best = answers_of(read_predictions(write_jsonl(tmp_path / "b.jsonl", [{**row, "prediction": "yes"} for row in ROWS])), ("no", "yes"))
    [found] = compared(ours, best, [Accuracy()], "b", 0.95, 1)
    assert (found.difference, found.significant_loss) == (-0.25, True)
    assert found.p_value < 0.001


def test_published_predictions_give_the_published_figure(public_data):
    """PubMedQA's second annotator, question and abstract: accuracy 78.0 and macro-F1 72.2 (Jin et al. 2019, table 5)."""
    read = read_predictions(public_data / "medical" / "pubmedqa" / "test.jsonl", Names("pred_reasoning_required", "label"))
    answers = answers_of(read, guess_labels(read))
    figures = {one.metric.name: one.score.value for one in scored(answers, chosen_metrics(answers, ["accuracy", "macro_f1"]), 0.95, 1)}
    assert {name: round(100 * value, 1) for name, value in figures.items()} == {"accuracy": 78.0, "macro_f1": 72.2}


def test_json_is_what_programs_get(hatrack, file):
    ran = hatrack("score", str(file), "--by", "country", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["scores"]["accuracy"]["value"] == 0.75
    assert [one["value"] for one in found["slices"]] == ["FR", "IN"]


def test_the_page_of_two_systems_holds_every_row_and_runs_nothing_of_theirs(hatrack, file, tmp_path):
    evil = [{**row, "prediction": "</script><script>alert(1)</script>" if i == 3 else "yes"} for i, row in enumerate(ROWS)]
    other = write_jsonl(tmp_path / "other.jsonl", evil)
    page = tmp_path / "page.html"
    ran = hatrack("score", str(file), "--against", str(other), "--page", str(page))
    assert ran.code == 0, ran.err
    text = page.read_text(encoding="utf-8")
    assert "alert(1)</script>" not in text
    assert "default-src 'none'" in text
    data = json.loads(text.partition('id="rows">')[2].partition("</script>")[0])
    assert len(data) == 60
    assert {row["id"] for row in data if row["better"] == "b"} == {f"q{i}" for i in range(0, 60, 4)}
