"""Reading again: a reranker has the last word on the best chunks, says so, and is off where nobody asks for it."""

from __future__ import annotations

import pytest

from hatrack.core.errors import ModelError
from hatrack.rag.retrieve import Query, Retriever
from knowledge_places import add, found, knowledge_project, open_kb, write_rows
from tiny_cross_encoder import make_cross_encoder

ROWS = [
    {"id": "a", "text": "a red apple lies in the river"},
    {"id": "b", "text": "a red apple and a red apple and a stone"},
    {"id": "c", "text": "the apple is green"},
    {"id": "d", "text": "nothing of that kind, but a lamp"},
]


@pytest.fixture(scope="module")
def listens_for_stone(tmp_path_factory):
    return make_cross_encoder(tmp_path_factory.mktemp("reranker") / "stone", word="stone")


@pytest.fixture
def root(tmp_path):
    root = knowledge_project(tmp_path / "project")
    add(root, write_rows(root / "rows.jsonl", ROWS))
    return root


def test_it_orders_anew_what_was_found(root, listens_for_stone):
    before = found(root, "a red apple in the river")
    assert before[0] == "a"
    knowledge_project(root, search={"reranker": str(listens_for_stone)})
    after = found(root, "a red apple in the river")
    assert after[0] == "b"
    assert set(after) == set(before)


def test_it_reads_no_more_than_it_is_told(root, listens_for_stone):
    plain = found(root, "green apple lamp", k=4)
    assert plain.index("b") >= 2
    knowledge_project(root, search={"reranker": str(listens_for_stone), "rerank": 2})
    assert found(root, "green apple lamp", k=4).index("b") == plain.index("b")
    kb = open_kb(root)
    passages = Retriever(kb).search(Query("green apple lamp", ("main",), k=4))
    kb.close()
    assert [one.rerank_score is not None for one in passages] == [True, True, False, False]


def test_a_passage_far_down_comes_up_also_where_few_are_asked_for(root, listens_for_stone):
    assert found(root, "green apple lamp", k=1) != ["b"]
    knowledge_project(root, search={"reranker": str(listens_for_stone)})
    assert found(root, "green apple lamp", k=1) == ["b"]


def test_explain_shows_what_it_said(root, listens_for_stone, hatrack, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    assert "read again" not in hatrack("kb", "search", "apple", "--explain", project=root).out
    knowledge_project(root, search={"reranker": str(listens_for_stone)})
    assert "read again" in hatrack("kb", "search", "apple", "--explain", project=root).out


def test_a_model_that_is_none_is_said_at_the_first_question(root, tiny_encoder):
    knowledge_project(root, search={"reranker": str(tiny_encoder)})
    with pytest.raises(ModelError, match="does not score pairs"):
        found(root, "apple")
