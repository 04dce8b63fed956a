"""Stores on servers: keys, refusals, a server that goes away and comes back, and that nothing is lost meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from hatrack.core.errors import KnowledgeError, StoreUnreachable
from hatrack.rag.stores.base import Point, open_store, parse_url
from knowledge_places import FACTS, add, found, knowledge_project, open_kb, write_rows
from pinecone_server import pinecone_server
from qdrant_server import qdrant_server
from store_places import postgres_url

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


@pytest.mark.parametrize("url", ["qdrant://127.0.0.1:9", "postgresql://127.0.0.1:9/kb"])
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
