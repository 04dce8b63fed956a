"""``hatrack check``: tables, JSON, a page, tokens; what warns and what refuses."""

from __future__ import annotations

import json

import pytest
import yaml

from conftest import label_rows, write_jsonl
from hatrack.data.quality.report import QualityReport

TURNS = [("user", "red"), ("assistant", "apple"), ("user", "blue"), ("assistant", "river")]
TALK = [{"messages": [{"role": role, "content": f"{text} {i}" if role == "user" else text} for role, text in TURNS]} for i in range(20)]
FEW = {"max_rejected": 0.1}
LONG = [{**row, "text": row["text"] + " stone" * 40} for row in label_rows(30)]


def said(ran):
    return " ".join(ran.out.split())


def two_adapters(root, second):
    """A second adapter beside ``first``, on rows of its own."""
    write_jsonl(root / "second.jsonl", second)
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["adapters"]["second"] = {**config["adapters"]["first"], "data": "second.jsonl"}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return root


def test_check_tells_what_would_be_trained_and_what_to_do(hatrack, make_project):
    ran = hatrack("check", project=make_project())
    assert ran.code == 0
    assert "first: this data can be trained on" in ran.out
    assert "48 train, 6 validation, 6 test; 0 left out" in said(ran)
    assert "warning there are few training rows 48 rows; from 100 to 1,000 good ones teach a task" in said(ran)


def test_check_json_is_the_whole_report(hatrack, make_project):
    ran = hatrack("check", "first", "--json", project=make_project())
    (found,) = json.loads(ran.out)
    report = QualityReport.model_validate(found)
    assert report.adapter == "first"
    assert sum(report.counts.rows.values()) == 60
    assert {one.label for one in report.labels.labels} == {"red", "green", "blue"}
    assert report.lengths.truncated_rows == 0
    assert report.spread.source == report.base
    assert report.refusal is None


def test_the_report_is_the_same_twice_but_for_its_time(hatrack, make_project):
    root = make_project()
    first, second = (json.loads(hatrack("check", "--json", project=root).out)[0] for _ in range(2))
    assert {**first, "created": ""} == {**second, "created": ""}


def test_F04_check_show_marks_the_trained_tokens_of_every_assistant_turn(hatrack, make_project):
    shown = hatrack("check", "--show", "1", project=make_project("instruct", TALK)).out.replace("\n", "")
    assert "assistant⏎a|pp|le|<|im_end|>|⏎<" in shown
    assert "assistant⏎riv|er|<|im_end|>|⏎" in shown
    assert "user⏎red 0<|im_end|>⏎" in shown
    assert "7 of " in shown


def test_check_html_writes_one_page_with_the_tokens(hatrack, make_project, tmp_path):
    page = tmp_path / "out" / "report.html"
    ran = hatrack("check", "--html", str(page), "--show", "1", project=make_project("instruct", TALK))
    assert ran.code == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "<mark>riv</mark><mark>er</mark><mark>&lt;|im_end|&gt;</mark>" in text
    assert str(page) in ran.err


def test_check_against_a_file_names_the_rows_in_both_and_only_warns(hatrack, make_project, tmp_path):
    rows = label_rows()
    exam = write_jsonl(tmp_path / "exam.jsonl", [{**row, "text": row["text"].upper()} for row in rows])
    ran = hatrack("check", "--against", str(exam), project=make_project(rows=rows))
    assert ran.code == 0
    assert "serious training rows also stand in exam.jsonl 48 training rows equal or nearly equal to one of its 60 rows" in said(ran)
    assert f"train row 3 {rows[2]['text']} row 3" in said(ran)
    write_jsonl(exam, [{**row, "text": f"nothing of the kind {i}"} for i, row in enumerate(rows)])
    assert "also stand in" not in said(hatrack("check", "--against", str(exam), project=make_project(rows=rows)))


def test_check_against_reads_the_file_as_training_data_is_read(hatrack, make_project, tmp_path):
    rows = label_rows()
    for i, row in enumerate(rows[:48]):
        row["text"] = f"write to jane{i}@corp-mail.com about the {row['text']} on page {i}"
    exam = write_jsonl(tmp_path / "exam.jsonl", [*rows[:48], {"id": "x", "text": "", "label": "red"}])
    ran = hatrack("check", "--against", str(exam), project=make_project(rows=rows, prepare={"pii": {"mode": "mask"}}, checks=FEW))
    assert ran.code == 0, ran.err
    assert "training rows also stand in exam.jsonl" in said(ran)
    assert "exam.jsonl: 1 invalid rows were not compared" in " ".join(ran.err.split())
    assert "@corp" not in ran.out + ran.err


def test_a_file_to_compare_with_that_is_mostly_wrong_is_refused(hatrack, make_project, tmp_path):
    exam = write_jsonl(tmp_path / "exam.jsonl", [{"id": "x", "text": "", "label": "red"}, *label_rows(3)])
    ran = hatrack("check", "--against", str(exam), project=make_project())
    assert ran.code == 2
    assert "1 of 4 rows of exam.jsonl cannot be used" in ran.err


def test_findings_that_warn_do_not_fail(hatrack, make_project):
    rows = [*label_rows(100), {"id": "odd", "text": "??", "label": "Red"}, {"id": "twice", "text": "??", "label": "blue"}]
    ran = hatrack("check", project=make_project(rows=rows))
    assert ran.code == 0
    assert "warning texts that are alike carry different labels" in said(ran)
    assert "warning some labels look like one Red and red" in said(ran)


def test_F07_what_would_be_refused_is_reported_all_the_same(hatrack, make_project, tmp_path):
    page = tmp_path / "report.html"
    ran = hatrack("check", "--html", str(page), project=make_project(rows=LONG, train={"max_length": 16}))
    assert ran.code == 2
    assert ran.out == ""
    assert "first: training refuses this data" in ran.err
    assert "serious" in ran.err
    assert ran.err.count("Error: ") == 1
    assert "Training refuses this data" in page.read_text(encoding="utf-8")


def test_a_refused_report_is_still_json(hatrack, make_project):
    ran = hatrack("check", "--json", project=make_project(rows=LONG, train={"max_length": 16}))
    assert ran.code == 2
    refusal = json.loads(ran.out)[0]["refusal"]
    assert "longer than train.max_length" in refusal["what"]
    assert "max_truncated" in refusal["do"]


@pytest.mark.parametrize("spoilt", ["first", "second"])
def test_one_bad_adapter_does_not_hide_the_others(hatrack, make_project, spoilt):
    few = label_rows(6)
    root = two_adapters(make_project(rows=few if spoilt == "first" else None), few if spoilt == "second" else label_rows(seed=1))
    ran = hatrack("check", project=root)
    assert ran.code == 2
    assert "Error: there are too few rows" in ran.err
    assert ("second" if spoilt == "first" else "first") + ": this data can be trained on" in ran.out


def test_every_refusal_is_said(hatrack, make_project):
    root = two_adapters(make_project(rows=label_rows(6)), label_rows(30, ("red",)))
    ran = hatrack("check", project=root)
    assert ran.code == 2
    assert "first: there are too few rows" in ran.err
    assert "Error: there is nothing to tell apart" in ran.err


def test_a_wrong_name_is_refused_before_anything_is_read(hatrack, make_project):
    ran = hatrack("check", "first", "secnd", project=make_project())
    assert ran.code == 2
    assert ran.out == ""


def test_a_page_that_cannot_be_written_is_one_message(hatrack, make_project, tmp_path):
    (tmp_path / "file").write_text("")
    ran = hatrack("check", "--html", str(tmp_path / "file" / "report.html"), project=make_project())
    assert ran.code == 2
    assert "cannot write report.html" in ran.err


def test_brackets_in_what_is_said_of_the_data_are_no_markup(hatrack, make_project):
    rows = [{"id": row["id"], "text [en]": row["text"], "label": row["label"]} for row in label_rows()]
    ran = hatrack("check", project=two_adapters(make_project(rows=rows), rows))
    assert ran.code == 2
    first, _, last = " ".join(ran.err.split()).partition("Error: ")
    for said_of in (first, last):
        assert "id, text [en], label" in said_of
