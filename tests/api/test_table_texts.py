"""/v1/tables whose texts an adapter reads: over a real server, with the adapter that training used."""

from __future__ import annotations

import pytest

from hatrack.core.project import Project
from hatrack.registry.store import Registry
from hatrack.serving.tables import stored_table
from hatrack.workflows.table_project import TableProject
from hatrack.workflows.table_train import train_table
from http_server import running
from scored_tables import noted_rows, scored_project


@pytest.fixture(scope="module")
def place(tiny_encoder, tmp_path_factory):
    root = scored_project(tiny_encoder, tmp_path_factory.mktemp("scored"))
    train_table(TableProject.open(root, "loans"))
    return root


@pytest.fixture(scope="module")
def http(place):
    with running(place) as server, server.client() as client:
        yield client


def rows(count, seed=3):
    return [{key: value for key, value in row.items() if key not in ("late", "loan_id")} for row in noted_rows(count, seed)]


def test_the_list_says_who_reads(http):
    (table,) = http.get("/v1/tables").json()["data"]
    assert table["adapters"] == ["words@1.0.0"]
    assert "note" in table["columns"]
    assert "tone: red" not in table["columns"]


def test_rows_are_predicted_as_the_command_predicts_them(http, place):
    asked = rows(40)
    found = http.post("/v1/tables/loans/predict", json={"rows": asked}).json()["predictions"]
    _, model = stored_table(Registry(Project(place)), "loans")
    expected = model.answers(model.predict(model.table(asked, read=TableProject.open(place, "loans").texts.read)))
    for one, other in zip(found, expected, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-3)


def test_what_was_read_is_among_the_reasons(http):
    (one,) = http.post("/v1/tables/loans/explain", json={"rows": rows(1), "reasons": 20}).json()["explanations"]
    assert "tone: red" in {reason["column"] for reason in one["reasons"]}


def test_a_score_that_a_row_brings_along_and_a_missing_text_are_refused(http):
    one = rows(1)[0]
    answer = http.post("/v1/tables/loans/predict", json={"rows": [{**one, "tone: red": 0.9}]})
    assert answer.status_code == 400
    assert "cannot be brought along" in answer.json()["error"]["message"]
    answer = http.post("/v1/tables/loans/predict", json={"rows": [{key: value for key, value in one.items() if key != "note"}]})
    assert answer.status_code == 400
    assert "missing: note" in answer.json()["error"]["message"]
    answer = http.post("/v1/tables/loans/predict", json={"rows": [one, {**one, "note": ["red"]}]})
    assert [(cell["row"], cell["column"]) for cell in answer.json()["error"]["rows"]] == [(2, "note")]


def test_another_adapter_than_training_used_is_refused(http, place):
    registry = Registry(Project(place))
    manifest, model = stored_table(registry, "loans")
    (score,) = model.card.readings
    strange = score.model_copy(update={"digest": "0" * 64})
    with running(place) as server, server.client() as client:
        shelf = server.app.state.context.tables
        kept = shelf.get(manifest)
        shelf._models[manifest.digest] = type(kept)(kept.card.model_copy(update={"readings": (strange,)}), kept.scorer)
        answer = client.post("/v1/tables/loans/predict", json={"rows": rows(1)})
    assert answer.status_code == 409
    assert "another adapter than is here" in answer.json()["error"]["message"]
