"""The commands on tasks without a label or a right answer: domain text and preferences."""

from __future__ import annotations

import json

import pytest

from conftest import label_rows

PAIRS = [{"id": r["id"], "prompt": r["text"], "chosen": f"it is {r['label']}", "rejected": "one two three"} for r in label_rows(40)]
ROWS = {"complete": label_rows(40), "prefer": PAIRS}


@pytest.fixture(params=ROWS)
def project(request, make_project):
    return make_project(request.param, ROWS[request.param], train={"epochs": 1, "learning_rate": 0.01})


def test_check_counts_their_tokens(project, hatrack):
    ran = hatrack("check", "--json", project=project)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found[0]["labels"] is None, "what has no labels counts none, which is not the same as counting nought of each"
    assert 0 < found[0]["lengths"]["trained_share"] < 1


def test_train_eval_and_ask_go_their_way(project, hatrack):
    assert hatrack("train", project=project).code == 0
    evaluated = hatrack("eval", "first", "--json", project=project)
    assert evaluated.code in (0, 1), evaluated.err
    report = json.loads(evaluated.out)
    assert [system["name"] for system in report["systems"]] == ["base", "adapter"]
    assert hatrack("versions", project=project).code == 0
    assert hatrack("ask", "first", "the red lamp", project=project).code == 0
