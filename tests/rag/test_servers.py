"""Stores on servers: keys, refusals, a server that goes away and comes back, and that nothing is lost meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from hatrack.core.errors import KnowledgeError, StoreUnreachable
from hatrack.rag.filters import parse_filter
from hatrack.rag.stores.base import Point, open_store, parse_url
from knowledge_places import FACTS, add, found, knowledge_project, open_kb, write_rows
from pinecone_server import pinecone_server
from qdrant_server import qdrant_server
from store_places import postgres_url
from weaviate_server import weaviate_server

POINT = Point("00000000-0000-0000-0000-000000000001", np.ones(4, dtype=np.float32) / 2, {"a": 1})


def test_a_key_comes_from_the_environment_and_is_never_said(tmp_path, monkeypatch):
    monkeypatch.setenv("QDRANT_API_KEY", "secret-key-1")
    with qdrant_server() as server:
        store = open_store(server.url, tmp_path)
        assert store.count("main") == 0
        assert set(server.keys) == {"secret-key-1"}
        server.fail = 403
        with pytest.raises(KnowledgeError, match="refuses") as caught:
            store.count("other")
        assert "secret-key-1" not in str(caught.value)
        store.close()


def test_a_pinecone_index_that_fails_or_refuses_is_said_without_its_key(tmp_path, monkeypatch):
    monkeypatch.setenv("PINECONE_API_KEY", "secret-key-2")
    with pinecone_server(4) as server:
        store = open_store(server.url, tmp_path)
        store.put("main", [POINT])
        assert server.keys == {"secret-key-2"}
        server.fail = 401
        with pytest.raises(KnowledgeError, match="refuses") as caught:
            store.count("main")
        assert "secret-key-2" not in str(caught.value)
        server.fail = 0
        assert store.count("main") == 1
        store.close()


def test_a_weaviate_server_that_refuses_fails_or_has_no_graphql(tmp_path, monkeypatch):
    monkeypatch.setenv("WEAVIATE_API_KEY", "secret-key-3")
    with weaviate_server() as server:
        store = open_store(server.url, tmp_path)
        store.put("main", [POINT])
        assert server.keys == {"Bearer secret-key-3"}
        for status, fault, said in ((401, KnowledgeError, "refuses"), (503, StoreUnreachable, "fails")):
            server.fail = status
            with pytest.raises(fault, match=said) as caught:
                store.count("main")
            assert "secret-key-3" not in str(caught.value)
        server.fail, server.graphql_off = 0, True
        with pytest.raises(KnowledgeError, match="refuses") as caught:
            store.search("main", POINT.vector, 3)
        assert "graphql is disabled" in caught.value.given
        store.close()


def test_what_another_process_added_to_a_weaviate_class_is_filtered_too(tmp_path):
    with weaviate_server() as server:
        one, other = open_store(server.url, tmp_path), open_store(server.url, tmp_path)
        one.put("main", [POINT])
        later = Point("00000000-0000-0000-0000-000000000002", POINT.vector, {"b": "x"})
        other.put("main", [later])
        assert [found.id for found in one.search("main", POINT.vector, 9, parse_filter({"b": "x"}))] == [later.id]
        assert [found.id for found in one.search("main", POINT.vector, 9, parse_filter({"not": {"b": "x"}}))] == [POINT.id]
        one.put("main", [Point("00000000-0000-0000-0000-000000000003", POINT.vector, {"a": True, "b": "x ", "é_1": " "})])
        assert one.count("main") == 3
        assert len(one.search("main", POINT.vector, 9, parse_filter({"b": "x"}))) == 1
        assert len(one.search("main", POINT.vector, 9, parse_filter({"é_1": " "}))) == 1
        for store in (one, other):
            store.close()


def test_a_class_that_is_another_programs_is_left_alone(tmp_path):
    with weaviate_server() as server:
        server.answer("POST", "/v1/schema", {"class": "Hatrack_main", "properties": []})
        store = open_store(server.url, tmp_path)
        with pytest.raises(KnowledgeError, match="refuses") as caught:
            store.put("main", [POINT])
        assert "not made by Hatrack" in caught.value.given
        store.close()


def test_the_words_of_a_url_that_may_be_shown(tmp_path):
    shown = parse_url("postgresql://anna:hidden@db.example:5432/kb?sslmode=require", tmp_path).shown
    assert shown == "postgresql://anna@db.example:5432/kb"
    assert parse_url("faiss:///.hatrack/kb?graph_from=3", tmp_path).shown == "faiss:///.hatrack/kb"
    assert parse_url("faiss:///.hatrack/kb", tmp_path).folder == tmp_path / ".hatrack" / "kb"
    assert str(parse_url("faiss:////data/kb", tmp_path).folder) == "/data/kb"


def test_a_server_that_fails_in_the_middle_loses_nothing(tmp_path):
    with qdrant_server() as server:
        root = knowledge_project(tmp_path, store=server.url)
        path = write_rows(root / "facts.jsonl", FACTS)
        server.fail = 503
        with pytest.raises(StoreUnreachable, match="fails"):
            add(root, path)
        kb = open_kb(root)
        assert kb.catalog.counts("main") == (0, 0)
        kb.close()
        server.fail = 0
        assert add(root, path).added == 5
        assert found(root, "lost card", where={"country": "FR"})[0] == "card"
        kb = open_kb(root)
        assert (kb.store.count("main"), kb.catalog.between()) == (5, {})
        kb.close()


@pytest.mark.parametrize("url", ["qdrant://127.0.0.1:9", "postgresql://127.0.0.1:9/kb", "weaviate://127.0.0.1:9"])
def test_a_server_that_is_not_there_is_said(tmp_path, url):
    store = open_store(url, tmp_path)
    for use in (lambda: store.count("main"), lambda: store.put("main", [POINT]), lambda: store.search("main", POINT.vector, 3)):
        with pytest.raises(StoreUnreachable, match="does not answer") as caught:
            use()
        assert "127.0.0.1:9" in caught.value.given
    store.close()


def test_a_knowledge_base_on_postgresql_and_a_lost_connection(tmp_path):
    import psycopg

    with postgres_url(tmp_path / "server") as url:
        root = knowledge_project(tmp_path / "project", store=url)
        add(root, write_rows(root / "facts.jsonl", FACTS))
        assert found(root, "rate of VAT", as_of="2012-01-01")[0] == "vat-old"
        store = open_store(url, root)
        assert store.count("main") == 5
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with pytest.raises(StoreUnreachable):
            store.count("main")
        assert store.count("main") == 5
        store.close()
