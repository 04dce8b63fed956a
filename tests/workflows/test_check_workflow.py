"""What a check measures on a real base, and where it stops."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from conftest import label_rows, write_jsonl
from hatrack.core.errors import CheckFailed, RowErrors
from hatrack.workflows import check
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.check import check_adapter

ASKED = [{"prompt": f"{row['text']}?", "response": "red"} for row in label_rows(40)]


def bench(root):
    return Workbench.open(root, Console(file=io.StringIO()))


def test_lengths_are_of_whole_rows_though_training_cuts_them(make_project):
    rows = label_rows(60)
    rows[0]["text"] += " stone" * 60
    found = check_adapter(bench(make_project(rows=rows, train={"max_length": 32}, checks={"max_truncated": 0.5})), "first")
    at = found.report.lengths
    assert at.quantiles["max"] > 60
    assert (at.truncated_rows, found.refusal) == (1, None)
    assert at.total == sum(min(count, 32) for count in token_counts(make_project, rows))


def token_counts(make_project, rows):
    opened = bench(make_project(rows=rows, folder="counted"))
    train = opened.prepare("first").splits.train
    return [len(opened.files.tokenizer(row.text)["input_ids"]) for row in train]


def test_a_conversation_counts_its_template_and_only_its_answer_is_trained(make_project):
    opened = bench(make_project("instruct", ASKED))
    found = check_adapter(opened, "first", show=2)
    lengths = found.report.lengths
    assert found.shown[0].trained == 3  # re, d, and the stop token
    assert lengths.trained == 3 * lengths.basis.rows
    assert "".join(piece for piece, _ in found.shown[0].tokens).startswith("<|im_start|>user\n")
    assert [row.row for row in found.shown] == [row.row for row in opened.prepare("first").splits.train[:2]]


def test_rows_that_cannot_be_trained_on_are_a_refusal_and_the_rest_is_measured(make_project):
    rows = [*ASKED, {"prompt": "why " * 20 + "?", "response": "because " * 200}]
    opened = bench(make_project("instruct", rows, train={"max_length": 48}, split=[0.9, 0.05, 0.05]))
    found = check_adapter(opened, "first")
    assert isinstance(found.refusal, RowErrors)
    assert "does not fit" in str(found.refusal)
    assert found.report.refusal.what == found.refusal.what
    assert found.report.lengths.basis.rows == len(opened.prepare("first").splits.train)


def test_F07_too_many_cut_rows_are_a_refusal(make_project):
    rows = [{**row, "text": row["text"] + " stone" * 40} for row in label_rows()]
    found = check_adapter(bench(make_project(rows=rows, train={"max_length": 16})), "first")
    assert isinstance(found.refusal, CheckFailed)
    assert found.report.refusal.allowed == "1.0% (checks.max_truncated)"


def test_an_encoder_base_embeds_the_rows_and_words_stand_in_on_a_causal_one(make_project):
    by_encoder = check_adapter(bench(make_project()), "first").report
    assert by_encoder.spread.source == by_encoder.base
    assert by_encoder.spread.basis.whole
    by_words = check_adapter(bench(make_project("instruct", ASKED, folder="other")), "first").report
    assert by_words.spread.source == "words"


def test_embedding_stops_at_its_budget(make_project, monkeypatch):
    monkeypatch.setattr(check, "_EMBEDDED_TOKENS", 200)
    report = check_adapter(bench(make_project()), "first").report
    assert 0 < report.spread.basis.rows < 60
    assert report.label_errors.source == "words"


def test_embeddings_have_length_one(make_project):
    embed = check._embedding(bench(make_project()))
    rows = embed(["a red lamp", "a river of stone and cloud"])
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)


def test_near_duplicates_are_looked_for_with_the_threshold_of_the_config(make_project):
    long = " ".join(f"{word}{i}" for i in range(10) for word in ("stone", "cloud"))
    rows = [
        *label_rows(),
        *({"id": f"n{i}", "text": f"{long} {ending}", "label": "red"} for i, ending in enumerate(("one", "two", "three"))),
    ]
    report = check_adapter(bench(make_project(rows=rows)), "first").report
    assert (report.repeats.exact, report.repeats.near) == (0, 2)
    strict = check_adapter(bench(make_project(rows=rows, folder="other", checks={"near_duplicates": 1.0})), "first").report
    assert strict.repeats.near == 0


def test_of_very_many_rows_a_sample_is_measured(make_project, monkeypatch):
    monkeypatch.setattr(check, "_ALL_MEASURED", 40)
    monkeypatch.setattr(check, "_MEASURED", 10)
    report = check_adapter(bench(make_project()), "first").report
    assert str(report.lengths.basis) == "on 10 of 48 rows"
    assert report.repeats.near == 0  # known from preparing the data, at any number of rows


def test_of_very_many_rows_in_several_files_near_duplicates_are_not_looked_for(make_project, monkeypatch):
    monkeypatch.setattr(check, "_CLUSTERED", 40)
    root = make_project(data={"train": "data.jsonl", "test": "test.jsonl"})
    write_jsonl(
        root / "test.jsonl", [{**row, "id": f"t{i}", "text": f"lamp {row['text']} lamp"} for i, row in enumerate(label_rows(12, seed=9))]
    )
    assert check_adapter(bench(root), "first").report.repeats.near is None


def test_reasons_of_rejected_rows_come_from_the_reject_file(make_project):
    root = make_project(checks={"max_rejected": 0.5})
    with (root / "data.jsonl").open("a") as stream:
        stream.write('{broken\n[1]\n{"text": "", "label": "red"}\n{"text": "", "label": "blue"}\n')
    report = check_adapter(bench(root), "first").report
    assert report.counts.rejected == 4
    assert report.counts.reasons["column … is empty"] == 2
    assert sum(report.counts.reasons.values()) == 4
