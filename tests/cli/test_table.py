"""`hatrack table` and `hatrack explain-text`, as a user meets them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from made_tables import loan_rows, table_project, write_csv


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trained project; nobody changes it."""
    from hatrack.cli.main import main

    root = table_project(tmp_path_factory.mktemp("table") / "project", model="xgboost", protected=["sex"])
    write_csv(root / "new.csv", [{key: value for key, value in row.items() if key != "late"} for row in loan_rows(8, seed=1)])
    with pytest.raises(SystemExit) as ended:
        main(["table", "train", "loans", "--project", str(root)])
    assert not ended.value.code
    return root


def test_training_shows_baselines_groups_and_what_comes_next(hatrack, tmp_path):
    ran = hatrack("table", "train", "loans", project=table_project(tmp_path / "project", protected=["sex"]))
    assert ran.code == 0, ran
    for words in (
        "loans@1.0.0",
        "ROC AUC",
        "constant",
        "plain",
        "one row ms",
        "by group",
        "against constant",
        "hatrack promote loans@1.0.0",
    ):
        assert words in ran.out
    assert "not read: loan_id: an id" in ran.err


def test_the_same_data_and_seed_are_the_same_version(hatrack, tmp_path):
    root = table_project(tmp_path / "project")
    first, second = (json.loads(hatrack("table", "train", "loans", "--json", project=root).out)["manifest"] for _ in range(2))
    assert (first["version"], first["digest"]) == (second["version"], second["digest"])
    assert first["kind"] == "hatrack.table/1"
    assert not [name for name in first["files"] if not name.endswith((".json", ".safetensors", ".ubj"))]


def test_names_in_brackets_are_no_markup(hatrack, tmp_path):
    rows = [{("income [eur]" if key == "income" else key): value for key, value in row.items()} for row in loan_rows()]
    root = table_project(tmp_path / "project", rows)
    assert "income [eur]" in hatrack("table", "train", "loans", project=root).err
    said = hatrack("table", "compare", "loans", "linear", project=root).err
    assert "income [eur]" in said
    assert "\n[linear]\n" in said


def test_predictions_are_csv_and_json(hatrack, trained, tmp_path):
    ran = hatrack("table", "predict", "loans", str(trained / "new.csv"), project=trained)
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [row["row"] for row in rows] == [str(number) for number in range(2, 10)]
    assert set(rows[0]) == {"row", "label", "p(no)", "p(yes)"}
    out = tmp_path / "out.csv"
    assert hatrack("table", "predict", "loans", str(trained / "new.csv"), "--out", str(out), project=trained).out == ""
    assert out.read_text() == ran.out
    found = json.loads(hatrack("table", "predict", "loans", str(trained / "new.csv"), "--json", project=trained).out)
    assert [one["label"] for one in found["predictions"]] == [row["label"] for row in rows]


def test_a_row_is_explained_with_pictures(hatrack, trained, tmp_path):
    ran = hatrack("table", "explain", "loans", str(trained / "new.csv"), "--row", "4", "--plots", str(tmp_path), project=trained)
    assert "row 4:" in ran.out
    assert "contribution (log odds)" in ran.out
    assert (tmp_path / "row-4.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_is_explained_with_pictures(hatrack, trained, tmp_path):
    ran = hatrack("table", "explain", "loans", "--plots", str(tmp_path), project=trained)
    assert ran.code == 0, ran
    assert "mean |SHAP|" in ran.out
    assert {"importance.png", "dependence-amount.png"} <= {path.name for path in tmp_path.iterdir()}


def test_kinds_are_compared_and_nothing_is_registered(hatrack, tmp_path):
    root = table_project(tmp_path / "project")
    ran = hatrack("table", "compare", "loans", "linear", "histogram", project=root)
    for name in ("linear", "histogram", "constant", "plain"):
        assert name in ran.out
    assert "No adapter has been trained yet" in hatrack("versions", project=root).out


def test_a_version_is_promoted_by_its_report_and_listed(hatrack, tmp_path):
    root = table_project(tmp_path / "project")
    hatrack("table", "train", "loans", project=root)
    assert "is champion" in hatrack("promote", "loans", project=root).out
    ran = hatrack("versions", project=root)
    assert "loans@1.0.0" in ran.out
    assert "champion" in ran.out


def test_a_model_that_knows_nothing_cannot_be_promoted(hatrack, tmp_path):
    rows = [{**row, "late": "yes" if number % 3 == 0 else "no"} for number, row in enumerate(loan_rows(200))]
    root = table_project(tmp_path / "project", rows)
    assert "not proven" in hatrack("table", "train", "loans", project=root).out
    ran = hatrack("promote", "loans", project=root)
    assert ran.code == 2
    assert "did not pass" in ran.err


def test_a_prediction_is_put_into_words(hatrack, trained):
    ran = hatrack("explain-text", "loans", str(trained / "new.csv"), "--row", "2", "--row", "3", project=trained)
    assert len(ran.out.strip().splitlines()) == 2
    assert "The model puts the probability of yes at" in ran.out
    found = json.loads(hatrack("explain-text", "loans", str(trained / "new.csv"), "--json", project=trained).out)
    assert found[0]["source"] == "template"


def test_what_a_tiny_model_babbles_is_replaced_by_the_template(hatrack, tmp_path, tiny_causal):
    import yaml

    root = table_project(tmp_path / "project")
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    (root / "hatrack.yaml").write_text(yaml.safe_dump({"base": str(tiny_causal), **config}))
    hatrack("table", "train", "loans", project=root)
    ran = hatrack("explain-text", "loans", str(root / "loans.csv"), "--adapter", "base", project=root)
    assert ran.code == 0, ran
    assert "The model puts the probability of" in ran.out
    assert "the template, because what base wrote is not borne by the facts" in " ".join(ran.err.split())
