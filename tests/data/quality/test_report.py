"""The whole report: what is in it, that it holds no value it should not, and that it is the same twice."""

import json

import numpy as np

from hatrack.data.quality import report as module
from hatrack.data.quality.report import Evidence, QualityReport
from quality_rows import answered, judged, labelled, relabel, spread_out


def test_a_report_is_json_and_back():
    report = judged(spread_out(labelled(100))).report
    text = report.model_dump_json()
    assert QualityReport.model_validate_json(text) == report
    assert json.loads(text)["kind"] == "hatrack.quality/1"


def test_the_json_has_these_sections():
    found = judged(spread_out(labelled(100))).report.model_dump(mode="json")
    assert set(found) == {
        *("kind", "adapter", "task", "base", "digest", "seed", "created", "refusal", "notes", "advice", "counts", "labels", "lengths"),
        *("repeats", "diversity", "spread", "answers", "conflicts", "label_errors", "edges", "languages", "privacy", "overlap"),
    }
    assert found["counts"]["rows"] == {"train": 80, "validation": 10, "test": 10}
    assert found["lengths"]["basis"] == {"rows": 80, "of": 80}


def test_lazy_rows_give_the_same_report_as_a_list():
    rows = relabel(labelled(200), {4: "railway", 5: "weather"})
    assert judged(spread_out(rows, lazy=True)) == judged(spread_out(rows))


def test_conversations_have_no_labels_and_texts_no_answers():
    talk = judged(spread_out(answered(["fine"] * 60)), "instruct").report
    assert (talk.labels, talk.conflicts, talk.label_errors) == (None, None, None)
    assert talk.answers is not None
    assert talk.diversity.answers is not None
    plain = judged(spread_out([type(row)(row.row, row.id, row.text) for row in labelled(60)]), "complete").report
    assert (plain.labels, plain.answers, plain.diversity.answers) == (None, None, None)


def test_what_nobody_handed_in_is_null():
    found = judged(spread_out(labelled(60))).report
    assert (found.languages, found.privacy, found.overlap, found.refusal, found.repeats.near) == (None,) * 5


def test_text_of_rows_enters_only_by_quote():
    rows = answered([f'{{"n": {i}}}' for i in range(95)] + ["my secret answer"] * 5)
    rows += [type(rows[0])(200, "x", "secret question", messages=rows[0].messages)]
    told = judged(spread_out(rows), "instruct", Evidence(quote=lambda text: "[quoted]")).report.model_dump_json()
    assert "secret" not in told
    assert "[quoted]" in told
    contradicting = relabel([*labelled(60), *labelled(60)], {70: "railway", 75: "kitchen"})
    told = judged(spread_out(contradicting), evidence=Evidence(quote=lambda text: "[quoted]")).report
    assert {pair.text for pair in told.conflicts.pairs} == {"[quoted]"}
    assert {one.text for one in told.label_errors.errors} <= {"[quoted]"}


def test_an_embedding_that_stops_early_draws_what_it_embedded(monkeypatch):
    rows, asked = labelled(60), []

    def embed(texts):
        asked.extend(texts)
        return np.eye(8, dtype=np.float32)[np.arange(20) % 8]

    found = judged(spread_out(rows), evidence=Evidence(embed=embed, encoder="tiny"))
    assert sorted(asked) == sorted(row.text for row in rows)
    assert (found.report.spread.source, str(found.report.spread.basis)) == ("tiny", "on 20 of 60 rows")
    assert [point.label for point in found.points] == [next(row.label for row in rows if row.text == text) for text in asked[:20]]
    assert found.report.label_errors.source == "words"


def test_many_rows_are_sampled_and_the_report_says_so(monkeypatch):
    monkeypatch.setattr(module, "_LOOKED_AT", (50, 50))
    found = judged(spread_out(labelled(300))).report
    assert str(found.diversity.basis) == "on 50 of 300 rows"
    assert str(found.label_errors.basis) == "on 50 of 300 rows"
    assert sum(label.train + label.validation + label.test for label in found.labels.labels) == 300
