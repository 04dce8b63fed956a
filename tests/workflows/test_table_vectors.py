"""Texts of a table as vectors of an embedder: one column, one reason, refused with another embedder."""

from __future__ import annotations

import random

import numpy as np
import pytest

from hatrack.core.errors import AdapterMismatch, ConfigError, DataError
from hatrack.tabular.columns.vector import Vector
from hatrack.tabular.explaining.reasons import explain_rows
from hatrack.workflows.table_project import TableProject
from hatrack.workflows.table_train import train_table
from made_tables import loan_rows, table_project

VECTORS = {"name": "about", "column": "note", "embedder": "hashing:64", "parts": 8}


def project(root, **changes):
    rng = random.Random(0)
    rows = loan_rows(200)
    for number, row in enumerate(rows):
        words = (
            ["broke", "debt", "sorry", "behind"] if (row["late"] == "yes") == (rng.random() < 0.9) else ["fine", "salary", "saved", "ahead"]
        )
        row["note"] = "" if number % 9 == 8 else " ".join(rng.choices(words, k=3)) + f" {number}"
    return table_project(root, rows, ignore=["note", "loan_id"], text_vectors=[{**VECTORS, **changes}])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = project(tmp_path_factory.mktemp("vectors") / "project")
    return root, train_table(TableProject.open(root, "loans"))


def test_vectors_carry_what_words_say_and_are_one_column(trained):
    _, made = trained
    assert made.ground.kinds["about"] == "vector"
    assert made.report.system("adapter").scores["roc_auc"].value > 0.85
    column = made.fitted.model.card.encoding.column("about")
    assert (len(column.features), len(column.center), column.source) == (8, 64, "note")


def test_a_row_in_use_is_encoded_as_in_training_and_its_reason_shows_the_text(trained):
    root, made = trained
    at = TableProject.open(root, "loans")
    _, model = at.stored()
    expected = model.matrix(made.ground.test)
    rows = made.ground.test.without(model.made).take(range(5)).rows()
    table = model.table(rows, read=at.texts.read)
    assert np.allclose(model.matrix(table), expected[:5], equal_nan=True)
    for row, one in zip(rows, explain_rows(model, table), strict=True):
        (shown,) = [reason.value for reason in one.reasons if reason.column == "about"]
        assert shown == (row["note"] or "missing")


def test_another_embedder_is_refused(trained):
    root, made = trained
    (reading,) = made.fitted.model.card.readings
    texts = TableProject.open(root, "loans").texts
    with pytest.raises(AdapterMismatch, match="another embedder than is here"):
        texts.read(reading.model_copy(update={"fingerprint": "0" * 64}), ["debt"])


def test_it_is_predicted_by_the_command(hatrack, trained):
    root, _ = trained
    assert hatrack("table", "predict", "loans", str(root / "loans.csv"), project=root).code == 0


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"column": "nte"}, ConfigError, "did you mean note"),
        ({"column": "late"}, ConfigError, "reads the target"),
        ({"name": "sex"}, DataError, "cannot be brought along"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, changes, error, words):
    with pytest.raises(error, match=words):
        TableProject.open(project(tmp_path / "project", **changes), "loans").ground()


def test_principal_components_are_numpys():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 5)) * [3, 2, 1, 0.5, 0.1]
    from hatrack.tabular.fitting.encode import fit_encoding
    from hatrack.tabular.readings import TextVectors
    from hatrack.tabular.table import Table

    reading = TextVectors(name="v", column="t", embedder="hashing:5", fingerprint="", parts=2)
    table = Table({"v": [row.tolist() for row in rows] + [None]}, list(range(31)))
    (column,) = fit_encoding(table, {"v": "vector"}, np.zeros(31), classes=2, vectors={"v": reading}).columns
    assert isinstance(column, Vector)
    found = column.encode(table.columns["v"])
    assert np.isnan(found[30]).all()
    _, _, axes = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    assert np.allclose(np.abs(found[:30]), np.abs((rows - rows.mean(0)) @ axes[:2].T), atol=1e-4)
    assert "no vector of 5 numbers" in str(column.fault([1.0, 2.0]))
