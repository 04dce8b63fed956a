"""Texts of a table that an adapter reads: recorded with its digest, refused with another, never on rows it was trained on."""

from __future__ import annotations

import json

import pytest
import yaml

from conftest import label_rows
from hatrack.answering.assistant import Assistant
from hatrack.core.errors import AdapterError, AdapterMismatch, CheckFailed, ConfigError, DataError
from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hatrack.serving.tables import stored_table
from hatrack.workflows.table_project import TableProject
from hatrack.workflows.table_train import train_table
from made_tables import write_csv
from scored_tables import noted_rows, scored_project


@pytest.fixture(scope="module")
def trained(tiny_encoder, tmp_path_factory):
    """A trained project; nobody changes it."""
    root = scored_project(tiny_encoder, tmp_path_factory.mktemp("scored"))
    made = train_table(TableProject.open(root, "loans"))
    return root, made


def opened(root):
    return TableProject.open(root, "loans")


def changed(root, **score):
    path = root / "hatrack.yaml"
    config = yaml.safe_load(path.read_text())
    config["tables"]["loans"]["text_scores"][0].update(score)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return opened(root)


def test_label_probabilities_are_columns_and_the_version_names_who_read_them(trained):
    root, made = trained
    words = Registry(Project(root)).resolve("words")
    (score,) = made.fitted.model.card.readings
    assert (score.adapter, score.digest) == ("words@1.0.0", words.digest)
    assert score.columns == ("tone: blue", "tone: green", "tone: red")
    assert set(score.columns) <= set(made.ground.kinds)
    assert made.manifest.parents == (words.digest,)
    assert "note" in made.manifest.config["inputs"]
    assert not set(score.columns) & set(made.manifest.config["inputs"])


def test_the_columns_are_what_the_adapter_says(trained):
    root, made = trained
    table = made.ground.test
    assistant = Assistant.open(root)
    notes = [(place, note) for place, note in enumerate(table.columns["note"]) if note]
    for (place, _), one in zip(notes, assistant.classify([note for _, note in notes], "words"), strict=True):
        assert table.columns[f"tone: {one.label}"][place] == pytest.approx(one.probability, abs=2e-4)
    empty = [place for place, note in enumerate(table.columns["note"]) if not note]
    assert empty
    assert all(table.columns["tone: red"][place] is None for place in empty)


def test_a_single_row_in_use_gets_what_it_got_in_training(trained):
    root, made = trained
    _, model = stored_table(Registry(Project(root)), "loans")
    at = opened(root)
    expected = model.predict(made.ground.test).probabilities
    for place in (0, 1, 2):
        row = made.ground.test.without(model.made).take([place]).rows()
        found = model.predict(model.table(row, read=at.texts.read)).probabilities
        assert found[0] == pytest.approx(expected[place], abs=1e-3)


def test_predict_and_explain_read_the_texts(hatrack, trained, tmp_path):
    root, _ = trained
    new = write_csv(tmp_path / "new.csv", [{key: value for key, value in row.items() if key != "late"} for row in noted_rows(6, seed=3)])
    found = json.loads(hatrack("table", "predict", "loans", str(new), "--json", project=root).out)
    assert len(found["predictions"]) == 6
    (one,) = json.loads(hatrack("table", "explain", "loans", str(new), "--json", project=root).out)
    assert {"tone: blue", "tone: green", "tone: red"} <= {reason["column"] for reason in one["reasons"]}
    moved = {change["column"] for change_set in one["changes"] for change in change_set}
    assert not moved & {"note", "tone: blue", "tone: green", "tone: red"}  # nobody moves a probability
    assert hatrack("table", "explain", "loans", project=root).code == 0


def test_two_runs_are_the_same_version_and_texts_are_read_once(trained):
    root, made = trained
    said = []
    again = train_table(TableProject.open(root, "loans", said.append))
    assert again.manifest.digest == made.manifest.digest
    assert not [line for line in said if "reads" in line]


def test_rows_that_trained_the_adapter_are_refused_or_left_out(tiny_encoder, tmp_path):
    rows = noted_rows()
    for row, learned in zip(rows[:100], label_rows(60), strict=False):
        row["note"] = learned["text"].upper() + "!"  # the same text to a reader
    root = scored_project(tiny_encoder, tmp_path, rows)
    with pytest.raises(CheckFailed, match=r"rows of this table trained words@1\.0\.0") as refused:
        opened(root).ground()
    seen = int(refused.value.given.split()[0])
    assert 40 <= seen < 60  # the adapter's own test rows trained nothing
    ground, _ = changed(root, seen="leave-out").ground()
    assert len(ground.train) + len(ground.test) == 120 - seen
    ground, _ = changed(root, seen="allow").ground()
    assert len(ground.train) + len(ground.test) == 120


def test_rows_that_cannot_be_compared_are_said_to_be_unknown(tiny_encoder, tmp_path):
    root = scored_project(tiny_encoder, tmp_path)
    (root / "words.jsonl").unlink()
    ground, _ = opened(root).ground()
    assert any("nobody can tell" in note for note in ground.notes)


def test_another_adapter_of_the_same_name_is_refused(tiny_encoder, tmp_path, trained):
    _, made = trained
    (score,) = made.fitted.model.card.readings
    other = opened(scored_project(tiny_encoder, tmp_path))
    with pytest.raises(AdapterMismatch, match="another adapter than is here") as refused:
        other.texts.read(score.model_copy(update={"digest": "0" * 64}), ["red"])
    assert "words@1.0.0" in refused.value.given


@pytest.mark.parametrize(
    ("score", "error", "words"),
    [
        ({"adapter": "wrds"}, AdapterError, "wrds"),
        ({"adapter": "base"}, AdapterError, "knows no labels"),
        ({"labels": ["rde"]}, ConfigError, "knows no label"),
        ({"column": "nte"}, ConfigError, "not in the data"),
        ({"column": "late"}, ConfigError, "reads the target"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_loaded(tiny_encoder, tmp_path, score, error, words):
    with pytest.raises(error, match=words):
        opened(scored_project(tiny_encoder, tmp_path, score=score)).ground()


def test_scores_that_rows_bring_along_are_refused(trained):
    _, made = trained
    row = {**made.ground.test.rows()[0], "tone: red": 0.99}
    with pytest.raises(DataError, match="cannot be brought along"):
        made.fitted.model.table([row], read=lambda score, texts: None)


def test_chosen_labels_only(tiny_encoder, tmp_path):
    ground, _ = opened(scored_project(tiny_encoder, tmp_path, score={"labels": ["red"]})).ground()
    assert [name for name in ground.kinds if name.startswith("tone")] == ["tone: red"]
